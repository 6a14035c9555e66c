"""What stands in braces in a command or an output's name, and what becomes of it for one file.

The first six are fd's, to the byte. All is done over bytes: a name need not be text.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from fsworkers.errors import BadTemplate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class File(NamedTuple):
    """What the templates tell of a file.

    Attributes:
        path: As it was found.
        relative: The way to it below the PATH that it was found under.
        number: Its place in the run, from 1.
        worker: Whose.
        output: Where its output is to be written; empty without one.
    """

    path: bytes
    relative: bytes
    number: int = 0
    worker: int = 0
    output: bytes = b""


def base_name(path: bytes) -> bytes:
    """The last part of a path."""
    return path.rpartition(b"/")[2]


def directory_name(path: bytes) -> bytes:
    """What is before the last part; ``.`` where there is nothing."""
    directory, slash, _ = path.rpartition(b"/")
    return directory or slash or b"."


def without_extension(path: bytes) -> bytes:
    """A path without what begins at the last dot of its last part, nor a leading ``./``."""
    name = base_name(path)
    dot = name.rfind(b".")
    stem = name[:dot] if dot > 0 else name
    directory = directory_name(path)
    if directory == b".":
        return b"" if stem == b"." else stem
    shown = directory.removeprefix(b"./")
    if shown != directory and stem == b".":
        return shown  # of ``./d/..a``; fd's way
    return b"%s/%s" % (shown.rstrip(b"/"), stem)


def _itself(file: File) -> bytes:
    # A name that begins with a dash would be taken for an option.
    return b"./" + file.path if file.path.startswith(b"-") else file.path


FIELDS: dict[str, Callable[[File], bytes]] = {
    "": _itself,
    "/": lambda file: base_name(file.path),
    "//": lambda file: directory_name(file.path),
    ".": lambda file: without_extension(file.path),
    "/.": lambda file: without_extension(base_name(file.path)),
    "rel": lambda file: file.relative,
    "rel.": lambda file: without_extension(file.relative),
    "rel//": lambda file: directory_name(file.relative),
    "#": lambda file: b"%d" % file.number,
    "%": lambda file: b"%d" % file.worker,
    "out": lambda file: file.output,
}

SHOWN = " ".join(f"{{{name}}}" for name in FIELDS)
"""All of them, as messages list them."""

_TELLING_APART = frozenset({"", "rel"})
"""Those that no two files have in common; ``{rel}`` below one PATH."""

Template = tuple["bytes | str", ...]
"""Text as ``bytes``, and the names of fields as ``str``."""


def parse(text: str) -> Template:
    """Read a template; ``{{`` and ``}}`` stand for braces.

    Raises:
        BadTemplate: A brace that is not closed or was not opened, or no such field.
    """
    pieces: list[bytes | str] = []
    literal = ""
    at = 0
    while at < len(text):
        two = text[at : at + 2]
        if two in {"{{", "}}"}:
            literal += two[0]
            at += 2
        elif text[at] == "{":
            end = text.find("}", at)
            if end < 0:
                raise BadTemplate(text, f"the brace in {text[at:]!r} is not closed; {_BRACES}")
            name = text[at + 1 : end]
            if name not in FIELDS:
                from difflib import get_close_matches  # noqa: PLC0415  (only for an error)

                near = get_close_matches(name, [one for one in FIELDS if one], 1)
                guess = f"did you mean {{{near[0]}}}? " if near else ""
                begin = "There" if near else "there"
                raise BadTemplate(
                    text, f"there is no {{{name}}}; {guess}{begin} are {SHOWN}; {_BRACES}"
                )
            pieces += [os.fsencode(literal), name]
            literal = ""
            at = end + 1
        elif text[at] == "}":
            raise BadTemplate(text, f"a brace is closed that was not opened; {_BRACES}")
        else:
            literal += text[at]
            at += 1
    pieces.append(os.fsencode(literal))
    return tuple(one for one in pieces if one != b"")


_BRACES = "write {{ and }} for braces themselves"


def fields_of(templates: Sequence[Template]) -> set[str]:
    """Which fields occur."""
    return {piece for template in templates for piece in template if isinstance(piece, str)}


def expand(template: Template, file: File) -> bytes:
    """What a template becomes for a file."""
    return b"".join(
        [piece if isinstance(piece, bytes) else FIELDS[piece](file) for piece in template]
    )


def tells_files_apart(template: Template, roots: int) -> bool:
    """Whether no two files of a run over so many PATHs can make the same of it."""
    fields = fields_of([template])
    return bool(fields & _TELLING_APART) and (roots == 1 or "" in fields)


def relative_to(path: bytes, roots: Sequence[bytes]) -> bytes:
    """The way to a file below the PATH that it was found under; of several, the deepest.

    A PATH that is a file itself has its name alone. What comes from a list of files and leads out
    of where we are stays within all the same: leading ``/``, ``./`` and ``../`` are left out.
    """
    found = b""
    for root in roots:
        start = root if root.endswith(b"/") else root + b"/"
        if path.startswith(start) and len(start) > len(found):
            found = start
    if found:
        return path[len(found) :]
    if path in roots:
        return base_name(path)
    parts = path.split(b"/")
    while len(parts) > 1 and parts[0] in {b"", b".", b".."}:
        del parts[0]
    return b"/".join(parts)
