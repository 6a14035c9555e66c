"""Shell patterns as ``fd --glob`` reads them, compiled to regular expressions.

``*`` and ``?`` stop at a slash, ``**`` between slashes stands for any number of folders (none as
well), ``[a-z]`` and ``[!a-z]`` are sets, ``{jpg,png}`` are alternatives (they nest), a backslash
takes the next character literally.
"""

from __future__ import annotations

import re

__all__ = ["compile_glob"]


def compile_glob(pattern: str, *, ignore_case: bool = False) -> re.Pattern[str]:
    """Compile one pattern; use ``fullmatch`` of the result.

    Args:
        pattern: The pattern. Undecodable bytes may stand in it as ``os.fsdecode`` gives them.
        ignore_case: Whether upper and lower case are the same.

    Raises:
        ValueError: The pattern is empty, or a set or brace in it is never closed.
    """
    if not pattern:
        raise ValueError("an empty pattern matches nothing; leave the option out or give '*'")
    flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
    try:
        return re.compile(_Translation(pattern).regex(), flags)
    except re.error as error:
        raise ValueError(f"bad pattern '{pattern}': {error}") from error


class _Translation:
    """One pattern on its way to a regular expression, read from left to right."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._position = 0
        self._open_braces = 0

    def regex(self) -> str:
        pieces = []
        while self._position < len(self._pattern):
            pieces.append(self._next())
        if self._open_braces:
            raise ValueError(f"bad pattern '{self._pattern}': '{{' is never closed with '}}'")
        return "".join(pieces)

    def _next(self) -> str:
        character = self._pattern[self._position]
        self._position += 1
        match character:
            case "*":
                return self._stars()
            case "?":
                return "[^/]"
            case "[":
                return self._set()
            case "{":
                self._open_braces += 1
                return "(?:"
            case "," if self._open_braces:
                return "|"
            case "}" if self._open_braces:
                self._open_braces -= 1
                return ")"
            case "\\":
                return self._escaped()
        return re.escape(character)

    def _escaped(self) -> str:
        if self._position == len(self._pattern):
            raise ValueError(f"bad pattern '{self._pattern}': it ends in a single backslash")
        self._position += 1
        return re.escape(self._pattern[self._position - 1])

    def _stars(self) -> str:
        start = self._position - 1
        while self._pattern[self._position : self._position + 1] == "*":
            self._position += 1
        starts_part = start == 0 or self._pattern[start - 1] in "/{,"
        following = self._pattern[self._position : self._position + 1]
        if self._position - start != 2 or not starts_part:
            return "[^/]*"
        if following == "/":
            self._position += 1
            return "(?:.*/)?"
        if following in ("", "}", ","):
            return ".*"
        return "[^/]*"

    def _set(self) -> str:
        start = self._position
        if self._pattern[start : start + 1] in ("!", "^"):
            start += 1
        # A bracket that comes first stands for itself, as in "[]]".
        end = self._pattern.find("]", start + 1)
        if end < 0:
            raise ValueError(f"bad pattern '{self._pattern}': '[' is never closed with ']'")
        negated = start != self._position
        members = self._pattern[start:end]
        self._position = end + 1
        escaped = re.sub(r"([\\\[\]^&~|])", r"\\\1", members)
        # The slash is never a member: a set is one character of one name.
        return f"[^/{escaped}]" if negated else f"(?!/)[{escaped}]"
