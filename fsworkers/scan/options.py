"""What a scan is asked to leave in and out, and how sizes and ages are written.

Only plain data: ``fsworkers.scan.filters`` acts on it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from os import PathLike, fsdecode
from typing import TYPE_CHECKING

from fsworkers.errors import BadSetting
from fsworkers.scan.globs import compile_glob

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ScanOptions", "SizeRange", "parse_duration", "parse_size"]

# Compiled when they are used: that takes longer than all else that is done here at the import.
_SIZE = r"(?ai)([+-]?)(\d{1,30})(?:b|([kmgt])(i?)b?)?"
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}

_DURATION_PART = r"(?a)\s*(\d{1,12}(?:\.\d{1,9})?)\s*([a-zA-Z]+)"
_MINUTE_S = 60.0
_HOUR_S = 60 * _MINUTE_S
_DAY_S = 24 * _HOUR_S
_UNIT_S = {
    "ms": 0.001,
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), _MINUTE_S),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), _HOUR_S),
    **dict.fromkeys(("d", "day", "days"), _DAY_S),
    **dict.fromkeys(("w", "week", "weeks"), 7 * _DAY_S),
    **dict.fromkeys(("M", "month", "months"), 30.44 * _DAY_S),
    **dict.fromkeys(("y", "year", "years"), 365.25 * _DAY_S),
}


@dataclass(frozen=True, slots=True)
class SizeRange:
    """Sizes from ``minimum_bytes`` to ``maximum_bytes``, both included; ``None`` has no end."""

    minimum_bytes: int = 0
    maximum_bytes: int | None = None

    def has(self, size_bytes: int) -> bool:
        """Whether a file of this size is in the range."""
        return self.minimum_bytes <= size_bytes and (
            self.maximum_bytes is None or size_bytes <= self.maximum_bytes
        )


_SEVERAL = ("globs", "excludes", "extensions", "regexes", "ignore_files", "sizes", "kinds")


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """The filters of a scan. Nothing is left out unless asked.

    A file must pass all of them. What a filter leaves out is not reported at all.

    Attributes:
        globs: Patterns (``fsworkers.scan.globs``) of which one must match: the name, or when the
            pattern holds a slash, the path below the PATH argument. As in ``fd``, a pattern
            without a capital letter ignores case: ``*.jpg`` takes ``A.JPG``, ``*.JPG`` takes
            only that. One string is one pattern, as it is one of whatever else may be several.
        excludes: Patterns to leave out, matched as ``globs`` are but, as in ``fd``, by the exact
            case. A directory that matches is not entered; a pattern that ends in a slash is for
            directories alone.
            A PATH argument that is a directory is never excluded itself.
        extensions: Of which the name must end in one, in capitals or not, with a dot or without:
            ``jpg``, ``.tar.gz``. As in ``fd``, ``.jpg`` alone is a hidden name and has none.
        regexes: Python's regular expressions of which one must be found in the name or, when it
            holds a slash, in the path below the PATH argument. Capital letters count as in
            ``globs``; one behind a backslash is none.
        gitignore: Leave out what git ignores, and ``.git``: by each ``.gitignore`` from the
            repository's root down, its ``.git/info/exclude`` and the user's own excludes. Whether
            git has a file in its index does not matter. Where there is no repository, a PATH is
            taken for the root of one. PATH arguments are taken even so.
        ignore_files: Files with patterns like a ``.gitignore``'s, about what is below each PATH.
            They are the weakest, the last of them first.
        skip_hidden: Leave out names with a leading dot, and do not enter such directories.
            PATH arguments are taken even so.
        follow: Follow symbolic links. Those that are PATH arguments are followed always.
        max_depth: How deep to go: 1 takes the files right in a PATH. ``None`` for no limit.
        min_depth: From which depth on files are taken. Of a PATH that is a file it is not asked.
        one_file_system: Do not enter directories on another file system than their PATH is on.
        sizes: Ranges that the size must all be in, as in ``+10k`` or ``-1M`` (``parse_size``).
            Like an age, a size is asked of regular files, so FIFOs, links that are not followed
            and the like are then not reported either.
        changed_within_s: Take files modified within this many seconds before the scan began.
        changed_after: Take files modified after this instant, in seconds since 1970.
        changed_before: Take files modified before this instant.
        kinds: ``empty``, ``executable`` (by anybody), or both: what a file must be.
        owner: Whose it must be: ``ada``, ``ada:staff``, ``:staff``, names or numbers; ``!`` before
            one of them is anybody else.
        limit: Take this many files, the first that are found, and end the scan.
        sample: Take a random choice, a number of files or a share such as ``"5%"``: always the same
            of the same paths, unless ``seed`` is another. A share is chosen on the way, a number
            only when the scan has ended. With a ``limit``, that is taken of the sample.
        seed: What the choice depends on.

    Raises:
        ValueError: A pattern cannot be read, a depth or age is negative, or the like.
    """

    globs: Sequence[str] = ()
    excludes: Sequence[str] = ()
    extensions: Sequence[str] = ()
    regexes: Sequence[str] = ()
    gitignore: bool = False
    ignore_files: Sequence[str] = ()
    skip_hidden: bool = False
    follow: bool = False
    max_depth: int | None = None
    min_depth: int = 0
    one_file_system: bool = False
    sizes: Sequence[str] = ()
    changed_within_s: float | None = None
    changed_after: float | None = None
    changed_before: float | None = None
    kinds: Sequence[str] = ()
    owner: str | None = None
    limit: int | None = None
    sample: int | str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse at once what could only fail once the scan is under way."""
        for name in _SEVERAL:
            given = getattr(self, name)
            try:
                values = [given] if isinstance(given, (str, bytes, PathLike)) else given
                object.__setattr__(self, name, tuple(map(fsdecode, values)))
            except TypeError as error:
                raise BadSetting(name, given, "a text, or several") from error
        for size in self.sizes:
            parse_size(size)
        for pattern in (*self.globs, *self.excludes):
            compile_glob(pattern)
        if self.min_depth < 0:
            raise ValueError(f"a depth of {self.min_depth} is below 0; 1 takes a PATH's own files")
        if self.max_depth is not None and self.max_depth < 0:
            raise ValueError(f"a depth of {self.max_depth} is below 0; 1 takes a PATH's own files")
        if self.changed_within_s is not None and not self.changed_within_s >= 0:
            raise ValueError("the age of a file cannot be negative; give something like 2h or 3d")
        if self.limit is not None and self.limit < 1:
            raise ValueError(f"a limit of {self.limit} leaves no file; give at least 1")
        if self.extensions or self.regexes or self.kinds or {self.owner, self.sample} != {None}:
            self._check_rare_ones()

    def _check_rare_ones(self) -> None:
        # Loaded only where one of them is asked for.
        from fsworkers.scan.notation import (  # noqa: PLC0415
            extension_suffix,
            parse_kind,
            parse_owner,
            parse_sample,
        )
        from fsworkers.scan.regexes import compile_regex  # noqa: PLC0415

        for check, values in (
            (extension_suffix, self.extensions),
            (compile_regex, self.regexes),
            (parse_kind, self.kinds),
            (parse_owner, () if self.owner is None else (self.owner,)),
            (parse_sample, () if self.sample is None else (str(self.sample),)),
        ):
            for value in values:
                check(value)


def parse_size(text: str) -> SizeRange:
    """Read a size as ``fd --size`` writes it: ``+10k``, ``-1Mi``, ``500b``.

    ``+`` is at least, ``-`` at most, neither is exactly. Units are ``b``, ``k``, ``m``, ``g``,
    ``t`` (powers of 1000) and ``ki``, ``mi``, ``gi``, ``ti`` (of 1024) in any case, with or without
    a closing ``b``; no unit means bytes.

    Raises:
        ValueError: The text is none of this.
    """
    found = re.fullmatch(_SIZE, text.strip())
    if found is None:
        raise ValueError(
            f"'{text}' is not a size; write +10k (at least), -1M (at most) or 500b (exactly), "
            "with b, k, m, g, t for powers of 1000 or ki, mi, gi, ti for powers of 1024"
        )
    sign, number, unit, binary = found.groups(default="")
    size_bytes = int(number) * (1024 if binary else 1000) ** _POWERS[unit.lower()]
    match sign:
        case "+":
            return SizeRange(minimum_bytes=size_bytes)
        case "-":
            return SizeRange(maximum_bytes=size_bytes)
    return SizeRange(size_bytes, size_bytes)


def parse_duration(text: str) -> float:
    """Read a length of time as ``fd --changed-within`` writes it, into seconds.

    ``30s``, ``10min``, ``2h``, ``3d``, ``1w``, ``1 month``, ``1y``, and sums such as
    ``1h 30min``. ``m`` is a minute, ``M`` a month of 30.44 days, a year has 365.25.

    Raises:
        ValueError: The text is none of this.
    """
    total_s, position, stripped = 0.0, 0, text.strip()
    while stripped and position < len(stripped):
        found = re.compile(_DURATION_PART).match(stripped, position)
        unit_s = None if found is None else _unit_s(found[2])
        if found is None or unit_s is None:
            break
        total_s += float(found[1]) * unit_s
        position = found.end()
    else:
        if stripped:
            return total_s
    raise ValueError(
        f"'{text}' is not a length of time; write a number and a unit such as 30s, 10min, 2h, 3d, "
        "1w, 1month or 1y, or several: '1h 30min'"
    )


def _unit_s(unit: str) -> float | None:
    # Only "m" and "M" differ by case.
    return _UNIT_S.get(unit) or _UNIT_S.get(unit.lower())
