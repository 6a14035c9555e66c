r"""Checksum lists as ``sha256sum -c`` and its kin read them: ``HASH  path``, one file a line.

Names are exact to the byte. A name with a newline, carriage return or backslash is escaped the way
GNU coreutils does it: ``\n``, ``\r``, ``\\``, and a backslash before the hash (source: coreutils
manual, "cksum output modes"; ``\r`` since 9.0). Only what is ``done`` has a line.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from fsworkers.sinks.errors import DigestsMissing
from fsworkers.sinks.sink import Lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fsworkers.model import Outcome
    from fsworkers.sinks.output import Output
    from fsworkers.sinks.sink import DoneEncoder

__all__ = ["SumsSink", "digest_of", "encode_done", "sums_line"]

_is_digest = re.compile(r"(?:[0-9a-fA-F]{2}){4,}").fullmatch
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r"})


class SumsSink(Lines):
    """Writes the digests of files that are done.

    A value that is no digest has no line; it does not end the run, but ``finish`` tells of it.

    Args:
        output: Where the lines go.
        algorithm: The key under which a value that is a mapping has the digest; ``digest`` is
            looked for otherwise.
    """

    def __init__(self, output: Output, algorithm: str | None = None) -> None:
        super().__init__(output)
        self.encode_done: DoneEncoder = partial(encode_done, algorithm)
        self._algorithm = algorithm
        self._missing_count = 0
        self._first_missing = ""

    def write(self, outcomes: Sequence[Outcome]) -> None:
        """Write a batch; see ``Sink.write``."""
        lines = []
        for outcome in outcomes:
            if outcome.status != "done":
                continue
            digest = digest_of(outcome.value, self._algorithm)
            path = outcome.path
            if digest is None:
                self._miss(path)
            elif type(path) is str:
                lines.append(sums_line(digest, path))
            elif isinstance(path, (bytes, os.PathLike)):
                lines.append(sums_line(digest, os.fsdecode(path)))
            else:
                self._miss(path)
        if lines:
            self.output.write(os.fsencode("".join(lines)))

    def finish(self, *, is_whole: bool = True) -> None:
        """End the output; see ``Sink.finish``.

        Raises:
            DigestsMissing: Files were done whose value was no digest. The output is complete
                but for them; where all were such, there is none.
        """
        has_any = self.output.has_lines or not self._missing_count
        super().finish(is_whole=is_whole and has_any)  # no list in the place of an earlier one
        if self._missing_count:
            missing_count, self._missing_count = self._missing_count, 0
            raise DigestsMissing(self.output.name, missing_count, self._first_missing)

    def _miss(self, path: Any) -> None:
        if not self._missing_count:
            is_path = isinstance(path, (str, bytes, os.PathLike))
            self._first_missing = os.fsdecode(path) if is_path else repr(path)
        self._missing_count += 1


def digest_of(value: Any, algorithm: str | None) -> str | None:
    """The digest that a value is, or holds under the algorithm's name; ``None`` if it is none."""
    if not isinstance(value, str) and isinstance(value, Mapping):
        value = value.get(algorithm) or value.get("digest")
    return value if isinstance(value, str) and _is_digest(value) else None


def encode_done(
    algorithm: str | None,
    paths: Sequence[str],
    values: Sequence[Any],
    _sizes: Sequence[int | None],
    _durations_s: Sequence[float],
    _attempts: int,
    _worker: int,
    _mtimes_ns: Sequence[int | None] = (),
) -> bytes | None:
    """Encode files that were done, given in columns; ``None`` if one of them has no digest."""
    digests = [digest_of(value, algorithm) for value in values]
    if None in digests:
        return None
    return os.fsencode("".join(map(sums_line, digests, paths)))  # type: ignore[arg-type]


def sums_line(digest: str, path: str) -> str:
    """Give the line of one file, its newline included; ``os.fsencode`` makes the exact bytes."""
    if path == "-":
        path = "./-"  # a lone dash is standard input to those who check
    if "\\" in path or "\n" in path or "\r" in path:
        return f"\\{digest}  {path.translate(_ESCAPES)}\n"
    return f"{digest}  {path}\n"
