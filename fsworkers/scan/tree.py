"""Walking directory trees: every file below the PATHs once, as it is met.

The walk decides what is a file to process, what is reported and passed over, and in which order
directories are read. What PATHs mean is decided in ``roots``, what filters take in ``filters``,
what is ignored in ``ignoring``, how many are taken in ``choice``.
Whether a file can be read, or is still there, is for the job to find out.

Nothing is read ahead: the files of a directory come at once, a large one's in parts, and its
sub-directories wait on a stack. So one directory is open at most, and memory grows with waiting
directories, not files.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from fsworkers.errors import BadOption
from fsworkers.model import Entry
from fsworkers.names import is_url
from fsworkers.scan.directory import read_directory
from fsworkers.scan.filters import Filters, filters_of
from fsworkers.scan.kinds import NOT_FOLLOWED, error_reason, link_error_reason, special_kind
from fsworkers.scan.options import ScanOptions
from fsworkers.scan.roots import AnyPath, Identity, PassedOver, Roots, resolve

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fsworkers.scan.ignoring import IgnoredHere, Ignoring

__all__ = ["choice_of", "ignoring_of", "scan", "scan_all"]

_EVERYTHING = ScanOptions()


def scan(
    paths: Iterable[AnyPath],
    options: ScanOptions = _EVERYTHING,
    *,
    own: Iterable[AnyPath] = (),
) -> Iterator[list[str] | Entry]:
    """Find the files below some PATHs, a directory's at once.

    Paths come out as ``find`` writes them: the PATH as it was given (slashes in a row are one), a
    slash, and the way below it. Each file comes once, however the PATHs repeat, overlap, or reach
    one directory by several spellings or links; a hard link is a file of its own. A directory that
    is a PATH itself is walked under that PATH, and filters see the way below that.

    No file is stat'ed unless ``options`` ask for sizes, ages, links or the like. With one PATH and
    neither ``follow`` nor ``one_file_system`` no directory is either; otherwise each is, because
    the inode number that a listing gives for a mount point is that of the directory beneath it.

    Args:
        paths: Files and directories, or URLs (``scan.remote``). They are looked at before the
            first result comes.
        options: What to leave out, and whether to follow links. With ``follow`` the identity of
            every directory is kept until the end, to notice loops.
        own: Files that this run writes (output, journal): reported as skipped when met.

    Yields:
        A list, never empty, of the regular files to process in one directory, in the order met,
        or of PATHs in a row that are files: at most ``directory.MOST_PATHS`` paths, which
        ``os.fsencode`` turns into the exact names. An ``Entry`` for what was found and is not to
        be run: ``skipped`` for FIFOs, sockets, devices, links that are not followed and
        directories met again, ``failed`` for a directory that cannot be read (to its end) and a
        link that leads nowhere. Entries come right behind the list of the files they were met
        among, that of a directory itself behind all that was read of it.

    Raises:
        IgnoreFileUnreadable: One of ``options.ignore_files`` can't be read; at the call itself.
        BadOption: Some PATHs are URLs and others not, or a filter means nothing for URLs; likewise.
    """
    paths = list(paths)
    if any(map(is_url, paths)):
        return choice_of(_scan_stores(paths, options, own), options)
    return choice_of(scan_all(paths, options, own, ignoring_of(options)), options)


def _scan_stores(
    paths: Sequence[AnyPath], options: ScanOptions, own: Iterable[AnyPath]
) -> Iterator[list[str] | Entry]:
    from fsworkers.scan.remote import scan_urls  # noqa: PLC0415  (only with URLs)

    urls = [path for path in paths if isinstance(path, str) and is_url(path)]
    if len(urls) < len(paths):
        raise BadOption("PATHs are URLs, or all of them local; do it in two runs")
    return scan_urls(urls, options, map(os.fsdecode, own))


def choice_of(
    found: Iterator[list[str] | Entry], options: ScanOptions
) -> Iterator[list[str] | Entry]:
    """As many of all that is found as are asked for."""
    if options.limit is None and options.sample is None:
        return found
    from fsworkers.scan.choice import chosen  # noqa: PLC0415  (rare; likewise below)

    return chosen(found, options)


def ignoring_of(options: ScanOptions) -> Ignoring | None:
    """What leaves files out by patterns that are read from files, if that is asked for.

    Raises:
        IgnoreFileUnreadable: One that is named can't be read.
    """
    if not (options.gitignore or options.ignore_files):
        return None
    from fsworkers.scan.ignoring import Ignoring  # noqa: PLC0415

    return Ignoring(options)


def scan_all(
    paths: Iterable[AnyPath],
    options: ScanOptions,
    own: Iterable[AnyPath],
    ignoring: Ignoring | None,
) -> Iterator[list[str] | Entry]:
    """As ``scan``, before the choice of how many are taken."""
    filters = filters_of(options)
    roots = resolve(paths, filters, own)
    walk = _Walk(options, filters, roots, ignoring)
    for item in roots.found:
        if isinstance(item, tuple):
            yield from walk.below(*item)
        else:
            yield item


class _Walk:
    """The state of one scan: directories that wait to be read, and those known already."""

    def __init__(
        self, options: ScanOptions, filters: Filters, roots: Roots, ignoring: Ignoring | None
    ) -> None:
        self._follow = options.follow
        self._max_depth = options.max_depth
        self._min_depth = options.min_depth
        self._one_file_system = options.one_file_system
        self._filters = filters
        self._ignoring = ignoring
        self._ignored: IgnoredHere | None = None
        self._takes_all = (
            filters.takes_name is None and filters.takes_file is None and ignoring is None
        )
        self._roots = roots.directories
        self._known = dict(roots.directories)
        self._names = roots.names
        self._identifies = (
            options.follow
            or options.one_file_system
            or len(roots.directories) > 1
            or bool(roots.names)
        )
        self._below_from = 0
        self._device = 0
        self._pending: list[tuple[str, int, Identity | None, IgnoredHere | None]] = []

    def below(self, root: str, identity: Identity) -> Iterator[list[str] | Entry]:
        """Walk one directory and what is below it."""
        if self._max_depth == 0:
            return
        self._below_from = len(_with_slash(root))
        self._device = identity[0]
        ignored = None if self._ignoring is None else self._ignoring.at_path(root)
        pending = self._pending = [(root, 0, identity, ignored)]
        while pending:
            path, depth, known_as, self._ignored = pending.pop()
            names = None if known_as is None else self._names.get(known_as)
            try:
                for met in read_directory(path):
                    files, settled = self._sort_out(met, depth + 1, names)
                    if files:
                        yield files
                    yield from settled
            except OSError as error:
                # Also when the listing breaks off in the middle: what was met before stands.
                yield Entry(path, "failed", error_reason(error))

    def _sort_out(
        self, met: list[os.DirEntry[str]], depth: int, names: PassedOver | None
    ) -> tuple[list[str], list[Entry]]:
        """Tell files to process from what is settled; sub-directories go on the stack."""
        takes_all = self._takes_all and names is None and depth >= self._min_depth
        files: list[str] = []
        settled: list[Entry] = []
        for entry in met:
            try:
                if takes_all and entry.is_file(follow_symlinks=False):
                    files.append(entry.path)
                    continue
                item = self._judge(entry, depth, names)
            except OSError as error:
                item = Entry(entry.path, "failed", error_reason(error))
            if isinstance(item, str):
                files.append(item)
            elif item is not None:
                settled.append(item)
        return files, settled

    def _judge(
        self, entry: os.DirEntry[str], depth: int, names: PassedOver | None
    ) -> str | Entry | None:
        """Decide about one thing in a directory; ``None`` says nothing about it.

        Raises:
            OSError: It cannot be looked at.
        """
        below = entry.path[self._below_from :]
        if entry.is_dir(follow_symlinks=False):
            return self._meet_directory(entry, depth, below)
        is_link = entry.is_symlink()
        target = None
        if is_link and self._follow:
            try:
                target = entry.stat()
            except OSError as error:
                if depth < self._min_depth:
                    return None
                item = Entry(entry.path, "failed", link_error_reason(entry.path, error))
                return self._named(item, entry.name, below, names)
            if stat.S_ISDIR(target.st_mode):
                if names is not None and entry.name in names:
                    return None
                return self._meet_directory(entry, depth, below, linked=target)
        if depth < self._min_depth:
            return None
        judged = self._judge_file(entry, target, is_link=is_link)
        return None if judged is None else self._named(judged, entry.name, below, names)

    def _named(
        self, item: str | Entry, name: str, below: str, names: PassedOver | None
    ) -> str | Entry | None:
        """Let an item through by its name, unless it is a PATH itself or this run's output."""
        takes_name = self._filters.takes_name
        if takes_name is not None and not takes_name(name, below):
            return None
        if self._ignored is not None and self._ignored.leaves_out(name, is_directory=False):
            return None
        if names is not None and name in names:
            reason = names[name]
            if reason is None:
                return None
            return Entry(item if isinstance(item, str) else item.path, "skipped", reason)
        return item

    def _judge_file(
        self, entry: os.DirEntry[str], target: os.stat_result | None, *, is_link: bool
    ) -> str | Entry | None:
        """Decide by type, size and age about what is not a directory."""
        takes_file = self._filters.takes_file
        if is_link and target is None:
            return None if takes_file is not None else Entry(entry.path, "skipped", NOT_FOLLOWED)
        if target is None and takes_file is None and entry.is_file(follow_symlinks=False):
            return entry.path
        status = entry.stat(follow_symlinks=False) if target is None else target
        if stat.S_ISREG(status.st_mode):
            return entry.path if takes_file is None or takes_file(status) else None
        if takes_file is not None:
            return None
        return Entry(entry.path, "skipped", special_kind(status.st_mode))

    def _meet_directory(
        self, entry: os.DirEntry[str], depth: int, below: str, linked: os.stat_result | None = None
    ) -> Entry | None:
        """Put a directory on the stack, unless it is left out or has its place already."""
        enters = self._filters.enters
        path = entry.path
        if enters is not None and not enters(entry.name, below):
            return None
        if self._max_depth is not None and depth >= self._max_depth:
            return None
        ignored = self._ignored
        if ignored is not None and self._ignoring is not None:
            if ignored.leaves_out(entry.name, is_directory=True):
                return None
            ignored = self._ignoring.below(ignored, path)
        if not self._identifies:
            self._pending.append((path, depth, None, ignored))
            return None
        status = entry.stat(follow_symlinks=False) if linked is None else linked
        identity = (status.st_dev, status.st_ino)
        if self._one_file_system and status.st_dev != self._device:
            return None
        other = self._known.get(identity)
        if other is None:
            if self._follow:
                self._known[identity] = path
            self._pending.append((path, depth, identity, ignored))
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
