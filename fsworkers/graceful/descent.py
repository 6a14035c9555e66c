"""Trees of any depth with two descriptors: ``fwalk`` and ``rmtree``.

The standard ones keep a descriptor open per level, so a tree deeper than the budget could not be
walked at all. Here a folder is opened from its parent and the parent is closed; the way back is
``..``, checked to be the folder that was left (same device and inode), so a tree that is moved or
replaced by links meanwhile cannot lead elsewhere.
"""

from __future__ import annotations

import os as _os
import stat
from errno import ESTALE

from fsworkers.graceful import os as graceful_os
from fsworkers.graceful.errors import GracefulError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

_FOLDER = _os.O_RDONLY | _os.O_DIRECTORY | getattr(_os, "O_CLOEXEC", 0)
_NO_LINK = _FOLDER | _os.O_NOFOLLOW


class Place:
    """Where a descent is: one open folder, and what leads back up.

    Attributes:
        fd: The open folder's descriptor.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._identity = _identity(fd)
        # Above a folder: its parent's identity, and its descriptor where ``..`` leads elsewhere.
        self._above: list[tuple[tuple[int, int], int | None]] = []

    def enter(self, name: Any, *, follows: bool = False) -> None:
        """Go down into a folder.

        Raises:
            OSError: It is none, or a link and those are not followed; the place has not changed.
        """
        below = graceful_os.open(name, _FOLDER if follows else _NO_LINK, dir_fd=self.fd)
        kept = None
        if (follows and _is_link(name, self.fd)) or not _leads_back(below):
            kept = self.fd
        else:
            graceful_os.close(self.fd)
        self._above.append((self._identity, kept))
        self.fd = below
        self._identity = _identity(below)

    def leave(self) -> None:
        """Go back up.

        Raises:
            OSError: ``..`` is not the folder this one was entered from any more.
        """
        identity, kept = self._above.pop()
        above = graceful_os.open("..", _FOLDER, dir_fd=self.fd) if kept is None else kept
        graceful_os.close(self.fd)
        self.fd = above
        self._identity = _identity(above)
        if self._identity != identity:
            raise OSError(ESTALE, "the tree was moved while it was walked")

    def close(self) -> None:
        """Close whatever is open."""
        graceful_os.close(self.fd)
        for _, kept in self._above:
            if kept is not None:
                graceful_os.close(kept)


def _identity(fd: int) -> tuple[int, int]:
    found = _os.fstat(fd)
    return found.st_dev, found.st_ino


def _leads_back(fd: int) -> bool:
    """Whether ``..`` can be opened in a folder: it may be one to be read and not passed."""
    try:
        _os.stat("..", dir_fd=fd)
    except PermissionError:
        return False
    return True


def _is_link(name: Any, dir_fd: int) -> bool:
    return stat.S_ISLNK(_os.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_mode)


def _list(fd: int) -> tuple[list[Any], list[Any]]:
    """Folders (links to them included) and others in an open folder."""
    folders: list[Any] = []
    others: list[Any] = []
    with graceful_os.scandir(fd) as entries:
        for entry in entries:
            try:
                is_folder = entry.is_dir()
            except OSError:
                is_folder = False
            (folders if is_folder else others).append(entry.name)
    return folders, others


def fwalk(  # noqa: C901 - one loop with two turns, down and up
    top: Any,
    topdown: bool,
    onerror: Callable[[OSError], Any] | None,
    *,
    follow_symlinks: bool,
    dir_fd: int | None,
) -> Iterator[tuple[Any, list[Any], list[Any], int]]:
    """``os.fwalk``: path, folders, others, and a descriptor that is valid until the next step."""
    top = _os.fspath(top)
    encode = _os.fsencode if isinstance(top, bytes) else _os.fsdecode
    if not follow_symlinks:
        kind = _os.stat(top, dir_fd=dir_fd, follow_symlinks=False).st_mode
        if not stat.S_ISDIR(kind):
            return
    place = Place(_open_top(top, dir_fd, follows=follow_symlinks))
    path = top
    # Of each folder on the way down: its path, its lists, and the folders still to be entered.
    way: list[tuple[Any, list[Any], list[Any], list[Any]]] = []
    try:
        entered = True
        while True:
            if entered:
                folders, others = ([encode(name) for name in names] for names in _list(place.fd))
                if topdown:
                    yield path, folders, others, place.fd
                way.append((path, folders, others, list(reversed(folders))))
            here, folders, others, left = way[-1]
            entered = False
            if left:
                name = left.pop()
                try:
                    if not follow_symlinks and _is_link(name, place.fd):
                        continue
                    place.enter(name, follows=follow_symlinks)
                except GracefulError:
                    raise
                except OSError as error:
                    _report(onerror, error)
                else:
                    path = _os.path.join(here, name)
                    entered = True
                continue
            if not topdown:
                yield here, folders, others, place.fd
            way.pop()
            if not way:
                return
            place.leave()
    finally:
        place.close()


def _report(onerror: Callable[[OSError], Any] | None, error: OSError) -> None:
    if onerror is not None:
        onerror(error)


def _open_top(top: Any, dir_fd: int | None, *, follows: bool) -> int:
    return int(graceful_os.open(top, _FOLDER if follows else _NO_LINK, dir_fd=dir_fd))


class Removal:
    """``shutil.rmtree`` with two descriptors at any depth.

    Args:
        report: Called as ``report(function, path, error)`` for what cannot be removed; raises to
            stop, returns to go on.
    """

    def __init__(self, report: Callable[[Callable[..., Any], Any, OSError], None]) -> None:
        self._report = report

    def remove(self, top: Any, dir_fd: int | None) -> None:
        """Remove a folder and all below it."""
        try:
            if stat.S_ISLNK(_os.lstat(top, dir_fd=dir_fd).st_mode):
                raise OSError("Cannot call rmtree on a symbolic link")
        except OSError as error:
            self._tell(_os.lstat if error.errno else _os.path.islink, top, error)
            return
        try:
            place = Place(_open_top(top, dir_fd, follows=False))
        except OSError as error:
            self._tell(_os.open, top, error)
            return
        try:
            self._empty(place, top)
        finally:
            place.close()
        self._try(_os.rmdir, top, top, dir_fd)

    def _empty(self, place: Place, top: Any) -> None:
        way: list[tuple[Any, list[Any]]] = [(top, self._files_of(place, top))]
        while True:
            here, folders = way[-1]
            if folders:
                name = folders.pop()
                path = _os.path.join(here, name)
                try:
                    place.enter(name)
                except OSError as error:
                    self._tell(_os.open, path, error)
                else:
                    way.append((path, self._files_of(place, path)))
                continue
            way.pop()
            if not way:
                return
            place.leave()
            self._try(_os.rmdir, _os.path.basename(here), here, place.fd)

    def _files_of(self, place: Place, path: Any) -> list[Any]:
        """Remove what is no folder; the folders are returned."""
        encode = _os.fsencode if isinstance(path, bytes) else _os.fsdecode
        folders: list[Any] = []
        try:
            with graceful_os.scandir(place.fd) as listing:
                entries = list(listing)
        except OSError as error:
            self._tell(_os.scandir, path, error)
            return folders
        for entry in entries:
            name = encode(entry.name)
            try:
                is_folder = entry.is_dir(follow_symlinks=False)
            except OSError:
                is_folder = False
            if is_folder:
                folders.append(name)
            else:
                self._try(_os.unlink, name, _os.path.join(path, name), place.fd)
        return folders

    def _try(self, function: Callable[..., Any], name: Any, path: Any, dir_fd: int | None) -> None:
        try:
            function(name, dir_fd=dir_fd)
        except OSError as error:
            self._tell(function, path, error)

    def _tell(self, function: Callable[..., Any], path: Any, error: OSError) -> None:
        if isinstance(error, GracefulError):
            raise error
        error.filename = path
        self._report(function, path, error)
