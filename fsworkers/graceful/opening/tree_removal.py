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


def _leads_back(fd: int) -> bool:
    """Whether ``..`` can be opened in a folder: one that may be read and not passed.

    Nothing in such a folder can be removed: it is removed if it is empty.
    """
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
        self._fd = -1

    def remove(self, top: Any, dir_fd: int | None) -> None:
        """Remove a folder and all below it."""
        self._top = top = _os.fsdecode(top) if isinstance(top, bytes) else top
        function: Callable[..., Any] = _os.lstat
        try:
            found = _os.lstat(top, dir_fd=dir_fd)
            function = _os.open
            self._fd = numbers.open(top, _ANYTHING, dir_fd=dir_fd)
        except Exception as error:  # noqa: BLE001 - what nobody is told of is raised there
            self._tell(function, top, error)
            return
        try:
            if not _os.path.samestat(found, _os.fstat(self._fd)):
                refusal = OSError("Cannot call rmtree on a symbolic link")
                self._report(_os.path.islink, top, refusal)
                return
            self._empty(top)
        finally:
            numbers.close(self._fd)
        self._try(_os.rmdir, top, top, dir_fd)

    def _empty(self, top: Any) -> None:
        """Remove what is in a folder; where the way back up has failed, what is left stays."""
        path, folders = top, self._files_of(top)
        above: list[tuple[Any, list[Any], _os.stat_result]] = []
        while folders or above:
            if folders:
                here, name = _os.fstat(self._fd), folders.pop()
                below = _os.path.join(path, name)
                if self._enter(name, below):
                    above.append((path, folders, here))
                    path, folders = below, self._files_of(below)
                continue
            left = path
            path, folders, here = above.pop()
            try:
                self._leave(here)
            except OSError as error:
                self._tell(_os.open, path, error)
                return
            self._try(_os.rmdir, _os.path.basename(left), left, self._fd)

    def _enter(self, name: Any, path: Any) -> bool:
        """Go down into a folder; what is none any more, or cannot be passed, is removed."""
        function: Callable[..., Any] = _os.lstat
        remove: Callable[..., Any] = _os.unlink
        try:
            if stat.S_ISDIR(_os.lstat(name, dir_fd=self._fd).st_mode):
                function, remove = _os.open, _os.rmdir
                below = numbers.open(name, _FOLDER | _os.O_NOFOLLOW, dir_fd=self._fd)
                is_entered = _leads_back(below)
                numbers.close(self._fd if is_entered else below)
                if is_entered:
                    self._fd = below
                    return True
        except OSError as error:
            self._tell(function, path, error)
            return False
        self._try(remove, name, path, self._fd)
        return False

    def _leave(self, above: _os.stat_result) -> None:
        """Go back up.

        Raises:
            OSError: That folder is not above this one any more.
        """
        fd = numbers.open("..", _FOLDER, dir_fd=self._fd)
        numbers.close(self._fd)
        self._fd = fd
        if not _os.path.samestat(above, _os.fstat(fd)):
            raise OSError(ESTALE, "the tree was moved while it was removed")

    def _files_of(self, path: Any) -> list[Any]:
        """Remove what is no folder; the folders are returned."""
        folders: list[Any] = []
        try:
            entries = listing.read_folder(self._fd)
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
                self._try(_os.unlink, entry.name, _os.path.join(path, entry.name), self._fd)
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
