"""File lists: paths that another program found, one a line or NUL-terminated."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING

from fsworkers.scan.filters import filters_of
from fsworkers.scan.options import ScanOptions
from fsworkers.scan.roots import AnyPath, look_at
from fsworkers.scan.tree import scan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fsworkers.model import Entry

__all__ = ["read_file_list", "scan_list"]

_CHUNK_BYTES = 1 << 16
_EVERYTHING = ScanOptions()


def read_file_list(stream: IO[bytes], nul: bool) -> Iterator[str]:
    """Read paths from a binary stream as they arrive, byte for byte.

    Only the separator is taken off: spaces, a carriage return or a leading dash are part of a
    name. Empty lines are left out, and the last one needs no separator.

    Args:
        stream: A file, pipe or standard input, opened in binary.
        nul: Whether paths end in NUL (``find -print0``), which allows for names with newlines.
    """
    separator = b"\0" if nul else b"\n"
    # One read at a time: what a slow pipe has delivered is passed on without waiting for more.
    read = getattr(stream, "read1", stream.read)
    pieces: list[bytes] = []
    while chunk := read(_CHUNK_BYTES):
        first, *others = chunk.split(separator)
        pieces.append(first)
        if others:
            lines = [b"".join(pieces), *others]
            pieces = [lines.pop()]
            yield from map(os.fsdecode, filter(None, lines))
    if last := b"".join(pieces):
        yield os.fsdecode(last)


def scan_list(
    paths: Iterable[AnyPath],
    options: ScanOptions = _EVERYTHING,
    *,
    own: Iterable[AnyPath] = (),
) -> Iterator[str | Entry]:
    """Turn listed paths into files to process, drawing one path at a time.

    Each is treated as a PATH of ``scan``: links are followed, directories walked, FIFOs and the
    like skipped. One that is missing becomes a ``failed`` entry; nothing is raised.

    The same path comes once, also when a list names directories and what is in them, as that of
    ``find`` does. Paths are compared as they are spelled: ``a`` and ``./a`` are two. For this all
    paths that came out are kept, some 150 bytes each: 1.5 GB for ten million. Where that is too
    much, give the directories as PATHs to ``scan``, which keeps none.

    Args:
        paths: The listed paths, for example of ``read_file_list``.
        options: As for ``scan``.
        own: As for ``scan``.

    Yields:
        As ``scan``.
    """
    filters = filters_of(options)
    own = tuple(own)
    own_names = {os.path.basename(os.fsdecode(path)) for path in own}
    seen: set[str] = set()
    for path in map(os.fsdecode, paths):
        if path in seen:
            continue
        kind, item = look_at(path, filters)
        found: Iterable[str | Entry]
        if kind == "directory":
            found = scan([path], options, own=own)
        elif kind == "left out" or isinstance(item, tuple):
            continue
        elif os.path.basename(path) in own_names:
            found = scan([path], options, own=own)
        else:
            found = (item,)
        for each in found:
            name = each if isinstance(each, str) else each.path
            if name not in seen:
                seen.add(name)
                yield each
