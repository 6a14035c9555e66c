"""``rmtree`` for trees of any depth, with two descriptors.

The standard one keeps a descriptor open per level, so a tree deeper than the budget could not be
removed at all. Here a folder is opened from its parent and the parent is closed; the way back is
``..``, checked to be the folder that was left (same device and inode). So what is moved or replaced
by links meanwhile cannot lead elsewhere: the removal ends there, and that is told.
"""

from __future__ import annotations

import os as _os
import stat
import sys
from contextlib import closing
from errno import ESTALE

from fsworkers.graceful.errors import GracefulError
from fsworkers.graceful.opening import listing, numbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_ANYTHING = _os.O_RDONLY | _os.O_NONBLOCK  # A FIFO would make the open wait for its writer.
_FOLDER = _os.O_RDONLY | _os.O_DIRECTORY

_IS_TELLING_LESS = sys.version_info >= (3, 13)
"""Since then handlers are told only of what the system says, and of what is gone only if it is the
top; and each error names the path as they are given it."""


class FolderCursor:
    """Where a removal is: one open folder, and what leads back up.

    Args:
        fd: The open folder that it starts from; closed by ``close`` or on the way.

    Attributes:
        fd: The open folder's descriptor.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        # Of each folder above: what it must be when it is come back to, and its descriptor where
        # ``..`` does not lead to it.
        self._above: list[tuple[_os.stat_result, int | None]] = []

    def enter(self, name: Any) -> None:
        """Go down into a folder.

        Raises:
            OSError: It is none, or a link; the place has not changed.
        """
        here = _os.fstat(self.fd)
        below = numbers.open(name, _FOLDER | _os.O_NOFOLLOW, dir_fd=self.fd)
        kept = None
        if _leads_back(below):
            numbers.close(self.fd)
        else:
            kept = self.fd
        self._above.append((here, kept))
        self.fd = below

    def leave(self) -> None:
        """Go back up.

        Raises:
            OSError: The folder this one was entered from is not above it any more. The place is
                good for nothing but to be closed.
        """
        left, kept = self._above.pop()
        above = numbers.open("..", _FOLDER, dir_fd=self.fd) if kept is None else kept
        numbers.close(self.fd)
        self.fd = above
        if not _os.path.samestat(left, _os.fstat(above)):
            raise OSError(ESTALE, "the tree was moved while it was removed")

    def close(self) -> None:
        """Close whatever is open."""
        numbers.close(self.fd)
        for _, kept in self._above:
            if kept is not None:
                numbers.close(kept)


def _leads_back(fd: int) -> bool:
    """Whether ``..`` can be opened in a folder: it may be one to be read and not passed."""
    try:
        _os.stat("..", dir_fd=fd)
    except OSError:
        return False
    return True


class TreeRemoval:
    """``shutil.rmtree`` with two descriptors at any depth.

    Args:
        report: Called as ``report(function, path, error)`` for what cannot be removed; raises to
            stop, returns to go on.
    """

    def __init__(self, report: Callable[[Callable[..., Any], Any, Exception], None]) -> None:
        self._report = report
        self._top: Any = None

    def remove(self, top: Any, dir_fd: int | None) -> None:
        """Remove a folder and all below it."""
        self._top = top = _os.fsdecode(top) if isinstance(top, bytes) else top
        function: Callable[..., Any] = _os.lstat
        try:
            found = _os.lstat(top, dir_fd=dir_fd)
            function = _os.open
            place = FolderCursor(numbers.open(top, _ANYTHING, dir_fd=dir_fd))
        except Exception as error:  # noqa: BLE001 - what nobody is told of is raised there
            self._tell(function, top, error)
            return
        with closing(place):
            if not _os.path.samestat(found, _os.fstat(place.fd)):
                self._refuse_link(top)
                return
            self._empty(place, top)
        self._try(_os.rmdir, top, top, dir_fd)

    def _refuse_link(self, path: Any) -> None:
        try:
            raise OSError("Cannot call rmtree on a symbolic link")
        except OSError as error:
            self._report(_os.path.islink, path, error)

    def _empty(self, place: FolderCursor, top: Any) -> None:
        """Remove what is in a folder; where the way back up has failed, what is left stays."""
        way = [(top, self._files_of(place, top))]
        while True:
            here, folders = way[-1]
            if folders:
                name = folders.pop()
                path = _os.path.join(here, name)
                if self._enter(place, name, path):
                    way.append((path, self._files_of(place, path)))
                continue
            way.pop()
            if not way:
                return
            try:
                place.leave()
            except OSError as error:
                self._tell(_os.open, way[-1][0], error)
                return
            self._try(_os.rmdir, _os.path.basename(here), here, place.fd)

    def _enter(self, place: FolderCursor, name: Any, path: Any) -> bool:
        function: Callable[..., Any] = _os.lstat
        try:
            is_folder = stat.S_ISDIR(_os.lstat(name, dir_fd=place.fd).st_mode)
            if is_folder:
                function = _os.open
                place.enter(name)
        except OSError as error:
            self._tell(function, path, error)
            return False
        if not is_folder:  # It was one a moment ago.
            self._try(_os.unlink, name, path, place.fd)
        return is_folder

    def _files_of(self, place: FolderCursor, path: Any) -> list[Any]:
        """Remove what is no folder; the folders are returned."""
        folders: list[Any] = []
        try:
            entries = listing.read_folder(place.fd)
        except OSError as error:
            self._tell(_os.scandir, path, error)
            return folders
        for entry in entries:
            try:
                is_folder = entry.is_dir(follow_symlinks=False)
            except OSError:
                is_folder = False
            if is_folder:
                folders.append(entry.name)
            else:
                self._try(_os.unlink, entry.name, _os.path.join(path, entry.name), place.fd)
        return folders

    def _try(self, function: Callable[..., Any], name: Any, path: Any, dir_fd: int | None) -> None:
        try:
            function(name, dir_fd=dir_fd)
        except OSError as error:
            self._tell(function, path, error)

    def _tell(self, function: Callable[..., Any], path: Any, error: Exception) -> None:
        if isinstance(error, GracefulError) or (
            _IS_TELLING_LESS and not isinstance(error, OSError)
        ):
            raise error
        is_below = path is not self._top
        if isinstance(error, FileNotFoundError) and _IS_TELLING_LESS and is_below:
            return
        if isinstance(error, OSError) and (is_below or _IS_TELLING_LESS or function is _os.scandir):
            error.filename = path
        self._report(function, path, error)
