"""File lists: paths that another program found, one a line or NUL-terminated."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING

from fsworkers.model import Entry
from fsworkers.scan.directory import MOST_PATHS
from fsworkers.scan.filters import filters_of
from fsworkers.scan.options import ScanOptions
from fsworkers.scan.roots import AnyPath, look_at
from fsworkers.scan.seen import Seen
from fsworkers.scan.tree import choice_of, ignoring_of, scan_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from fsworkers.scan.filters import Filters
    from fsworkers.scan.ignoring import Ignoring

__all__ = ["read_file_list", "scan_list"]

_CHUNK_BYTES = 1 << 16
_EVERYTHING = ScanOptions()


def read_file_list(stream: IO[bytes], nul: bool) -> Iterator[list[str]]:
    """Read paths from a binary stream, byte for byte: as they arrive, those of one read at once.

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
            if paths := list(map(os.fsdecode, filter(None, lines))):
                yield paths
    if last := b"".join(pieces):
        yield [os.fsdecode(last)]


def scan_list(
    paths: Iterable[AnyPath | list[str]],
    options: ScanOptions = _EVERYTHING,
    *,
    own: Iterable[AnyPath] = (),
) -> Iterator[list[str] | Entry]:
    """Turn listed paths into files to process, drawing one path, or list of paths, at a time.

    Each is treated as a PATH of ``scan``: links are followed, directories walked, FIFOs and the
    like skipped. One that is missing becomes a ``failed`` entry; nothing is raised.

    The same path comes once, also when a list names directories and what is in them, as that of
    ``find`` does. ``a/b``, ``./a/b`` and ``a//./b`` are one, called as the first of them; links and
    ``..`` are not looked through. What came out is remembered, on disk where it is much
    (``scan.seen``).

    Args:
        paths: The listed paths, for example of ``read_file_list``. What is drawn at once comes at
            once: a path given by itself makes a list of one, and waits for no other.
        options: As for ``scan``.
        own: As for ``scan``.

    Yields:
        As ``scan``, in the order listed: files in a row make a list of at most
        ``directory.MOST_PATHS``, anything else stands where it was.

    Raises:
        IgnoreFileUnreadable: As for ``scan``.
    """
    return choice_of(_scan_all_listed(paths, options, tuple(own), ignoring_of(options)), options)


def _scan_all_listed(
    paths: Iterable[AnyPath | list[str]],
    options: ScanOptions,
    own: tuple[AnyPath, ...],
    ignoring: Ignoring | None,
) -> Iterator[list[str] | Entry]:
    filters = filters_of(options)

    def walk(path: str) -> Iterator[list[str] | Entry]:
        return scan_all([path], options, own, ignoring)

    own_names = {os.path.basename(os.fsdecode(path)) for path in own}
    seen = Seen()
    try:
        for drawn in paths:
            listed = drawn if isinstance(drawn, list) else [os.fsdecode(drawn)]
            yield from _look_at_all(listed, seen, filters, walk, own_names)
    finally:
        seen.close()


def _look_at_all(
    listed: list[str],
    seen: Seen,
    filters: Filters,
    walk: Callable[[str], Iterable[list[str] | Entry]],
    own_names: set[str],
) -> Iterator[list[str] | Entry]:
    """What is found at some paths, as far as it has not come already."""
    spelled = list(map(_spelled, listed))
    asked = set(spelled)
    known = seen.known(asked)
    files: list[str] = []
    for path, spelling in zip(listed, spelled, strict=True):
        if spelling in known:
            continue
        kind, item = look_at(path, filters)
        if kind == "left out":
            continue
        is_walked = isinstance(item, tuple) or os.path.basename(path) in own_names
        if isinstance(item, str) and not is_walked:
            known.add(spelling)
            files.append(path)
            if len(files) < MOST_PATHS:
                continue
        if files:
            seen.add(map(_spelled, files))
            yield files
            files = []
        found = walk(path) if is_walked else [item] if isinstance(item, Entry) else []
        for each in _unseen(found, seen):
            known.update(asked.intersection(map(_spelled, _paths_of(each))))
            yield each
    if files:
        seen.add(map(_spelled, files))
        yield files


def _spelled(path: str) -> str:
    """One spelling for all that differ by ``.`` and slashes alone."""
    if path.startswith("./") or "/./" in path or "//" in path:
        root = "/" if path.startswith("/") else ""
        return root + "/".join(part for part in path.split("/") if part not in {"", "."})
    return path


def _unseen(found: Iterable[list[str] | Entry], seen: Seen) -> Iterator[list[str] | Entry]:
    """Leave out what came already, and remember what comes."""
    for each in found:
        paths = _paths_of(each)
        known = seen.known(map(_spelled, paths))
        if new := [path for path in paths if _spelled(path) not in known]:
            seen.add(map(_spelled, new))
            yield each if isinstance(each, Entry) else new


def _paths_of(each: list[str] | Entry) -> list[str]:
    return [each.path] if isinstance(each, Entry) else each
