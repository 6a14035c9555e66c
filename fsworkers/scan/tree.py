"""Walking directory trees: every file below the PATHs once, as it is met.

The walk decides what is a file to process, what is reported and passed over, and in which order
directories are read. What PATHs mean is decided in ``roots``, what filters take in ``filters``.
Whether a file can be read, or is still there, is for the job to find out.

Nothing is collected: a directory is read while its files are drawn and its sub-directories wait on
a stack, so one directory is open at a time and memory grows with waiting directories, not files.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from fsworkers.model import Entry
from fsworkers.scan.directory import opened_directory
from fsworkers.scan.filters import Filters, filters_of
from fsworkers.scan.kinds import NOT_FOLLOWED, error_reason, link_error_reason, special_kind
from fsworkers.scan.options import ScanOptions
from fsworkers.scan.roots import AnyPath, Identity, Roots, resolve

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

__all__ = ["scan"]

_EVERYTHING = ScanOptions()


def scan(
    paths: Iterable[AnyPath],
    options: ScanOptions = _EVERYTHING,
    *,
    own: Iterable[AnyPath] = (),
) -> Iterator[str | Entry]:
    """Find the files below some PATHs.

    Paths come out as ``find`` writes them: the PATH as it was given, a slash, and the way below
    it. Each file comes once, however the PATHs repeat, overlap, or reach one directory by several
    spellings or links; a hard link is a file of its own. A directory that is a PATH itself is
    walked under that PATH, and filters see the way below that.

    No file is stat'ed unless ``options`` ask for sizes, ages or links. With one PATH and no
    ``follow`` no directory is either; otherwise each is, because the inode number that a listing
    gives for a mount point is that of the directory beneath the mount.

    Args:
        paths: Files and directories. They are looked at before the first result comes.
        options: What to leave out, and whether to follow links. With ``follow`` the identity of
            every directory is kept until the end, to notice loops.
        own: Files that this run writes (output, journal): reported as skipped when met.

    Yields:
        A ``str`` for a regular file to process, which ``os.fsencode`` turns into the exact name;
        an ``Entry`` for what was found and is not to be run: ``skipped`` for FIFOs, sockets,
        devices, links that are not followed and directories met again, ``failed`` for a directory
        that cannot be read (to its end) and a link that leads nowhere.
    """
    filters = filters_of(options)
    roots = resolve(paths, filters, own)
    walk = _Walk(options, filters, roots)
    for item in roots.found:
        if isinstance(item, tuple):
            yield from walk.below(*item)
        else:
            yield item


class _Walk:
    """The state of one scan: directories that wait to be read, and those known already."""

    def __init__(self, options: ScanOptions, filters: Filters, roots: Roots) -> None:
        self._follow = options.follow
        self._max_depth = options.max_depth
        self._filters = filters
        self._roots = roots.directories
        self._known = dict(roots.directories)
        self._names = roots.names
        self._identifies = options.follow or len(roots.directories) > 1 or bool(roots.names)
        self._pending: list[tuple[str, int, Identity | None]] = []

    def below(self, root: str, identity: Identity) -> Iterator[str | Entry]:
        """Walk one directory and what is below it."""
        if self._max_depth == 0:
            return
        filters = self._filters
        filtered = filters.takes_name is not None or filters.takes_file is not None
        below_from = len(_with_slash(root))
        pending = self._pending = [(root, 0, identity)]
        while pending:
            path, depth, known_as = pending.pop()
            prefix = _with_slash(path)
            names = None if known_as is None else self._names.get(known_as)
            takes_all = not filtered and names is None
            try:
                with opened_directory(path) as entries:
                    for entry in entries:
                        try:
                            if takes_all and entry.is_file(follow_symlinks=False):
                                yield prefix + entry.name
                                continue
                            item = self._judge(entry, prefix, depth + 1, below_from, names)
                        except OSError as error:
                            item = Entry(prefix + entry.name, "failed", error_reason(error))
                        if item is not None:
                            yield item
            except OSError as error:
                # Also when the listing breaks off in the middle: what was met before stands.
                yield Entry(path, "failed", error_reason(error))

    def _judge(
        self,
        entry: os.DirEntry[str],
        prefix: str,
        depth: int,
        below_from: int,
        names: dict[str, str | None] | None,
    ) -> str | Entry | None:
        """Decide about one thing in a directory; ``None`` says nothing about it.

        Raises:
            OSError: It cannot be looked at.
        """
        path = prefix + entry.name
        below = path[below_from:]
        if entry.is_dir(follow_symlinks=False):
            return self._meet_directory(entry, path, depth, below)
        is_link = entry.is_symlink()
        target = None
        if is_link and self._follow:
            try:
                target = entry.stat()
            except OSError as error:
                return self._named(
                    Entry(path, "failed", link_error_reason(path, error)), entry.name, below, names
                )
            if stat.S_ISDIR(target.st_mode):
                if names is not None and entry.name in names:
                    return None
                return self._meet_directory(entry, path, depth, below, linked=target)
        item = self._judge_file(entry, path, target, is_link=is_link)
        return None if item is None else self._named(item, entry.name, below, names)

    def _named(
        self, item: str | Entry, name: str, below: str, names: dict[str, str | None] | None
    ) -> str | Entry | None:
        """Let an item through by its name, unless it is a PATH itself or this run's output."""
        takes_name = self._filters.takes_name
        if takes_name is not None and not takes_name(name, below):
            return None
        if names is not None and name in names:
            reason = names[name]
            if reason is None:
                return None
            return Entry(item if isinstance(item, str) else item.path, "skipped", reason)
        return item

    def _judge_file(
        self, entry: os.DirEntry[str], path: str, target: os.stat_result | None, *, is_link: bool
    ) -> str | Entry | None:
        """Decide by type, size and age about what is not a directory."""
        takes_file = self._filters.takes_file
        if is_link and target is None:
            return None if takes_file is not None else Entry(path, "skipped", NOT_FOLLOWED)
        if target is None and takes_file is None and entry.is_file(follow_symlinks=False):
            return path
        status = entry.stat(follow_symlinks=False) if target is None else target
        if stat.S_ISREG(status.st_mode):
            return path if takes_file is None or takes_file(status) else None
        return (
            None if takes_file is not None else Entry(path, "skipped", special_kind(status.st_mode))
        )

    def _meet_directory(
        self,
        entry: os.DirEntry[str],
        path: str,
        depth: int,
        below: str,
        *,
        linked: os.stat_result | None = None,
    ) -> Entry | None:
        """Put a directory on the stack, unless it is left out or has its place already."""
        enters = self._filters.enters
        if enters is not None and not enters(entry.name, below):
            return None
        if self._max_depth is not None and depth >= self._max_depth:
            return None
        if not self._identifies:
            self._pending.append((path, depth, None))
            return None
        status = entry.stat(follow_symlinks=False) if linked is None else linked
        identity = (status.st_dev, status.st_ino)
        other = self._known.get(identity)
        if other is None:
            if self._follow:
                self._known[identity] = path
            self._pending.append((path, depth, identity))
            return None
        if linked is None and identity in self._roots:
            return None  # a PATH within a PATH has its own turn
        return Entry(path, "skipped", _met_again(path, other))


def _with_slash(directory: str) -> str:
    return directory if directory.endswith("/") else directory + "/"


def _met_again(path: str, other: str) -> str:
    # The reason is shown on terminals and in tables: the quoted form escapes what could harm.
    if path.startswith(_with_slash(other)):
        return f"symbolic link loop: leads back to {other!r}"
    return f"the same directory as {other!r}, which is walked under that path"
