"""Trees of any depth with two descriptors: ``fwalk`` and ``rmtree``.

The standard ones keep a descriptor open per level, so a tree deeper than the budget could not be
walked at all. Here a folder is opened from its parent and the parent is closed; the way back is
``..``, or where that leads elsewhere by now the way down from the top once more. Either way it is
checked to be the folder that was left (same device and inode), so a tree that is moved or replaced
by links meanwhile cannot lead elsewhere.
"""

from __future__ import annotations

import os as _os
import stat
import sys
from contextlib import closing
from contextvars import copy_context
from errno import ESTALE
from functools import partial

from fsworkers.graceful import folders as listing
from fsworkers.graceful import os as graceful_os
from fsworkers.graceful.errors import GracefulError
from fsworkers.graceful.pairs import pair

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

_ANYTHING = _os.O_RDONLY | _os.O_NONBLOCK  # A FIFO would make the open wait for its writer.
_FOLDER = _os.O_RDONLY | _os.O_DIRECTORY
_NO_LINK = _FOLDER | _os.O_NOFOLLOW
_NOWHERE = -1


class Place:
    """Where a descent is: one open folder, and what leads back up.

    Args:
        open_top: Opens the folder that the descent starts from.

    Attributes:
        fd: The open folder's descriptor; none while the place is lost.
    """

    def __init__(self, open_top: Callable[[], int]) -> None:
        self._open_top = open_top
        self.fd = open_top()
        self._identity = _identity(_os.fstat(self.fd))
        self._above: list[_Above] = []

    @property
    def is_lost(self) -> bool:
        """Whether the way back up has failed, and nothing is open until the next one succeeds."""
        return self.fd == _NOWHERE

    def is_at(self, found: _os.stat_result) -> bool:
        """Whether this is what was found."""
        return self._identity == _identity(found)

    def enter(self, name: Any, *, follows: bool = False) -> None:
        """Go down into a folder.

        Raises:
            OSError: It is none, or a link and those are not followed; the place has not changed.
        """
        leads_elsewhere = follows and _is_link(name, self.fd)
        below = graceful_os.open(name, _FOLDER if follows else _NO_LINK, dir_fd=self.fd)
        kept = None
        if leads_elsewhere or not _leads_back(below):
            kept = self.fd
        else:
            graceful_os.close(self.fd)
        self._above.append(_Above(self._identity, name, follows, kept))
        self.fd = below
        self._identity = _identity(_os.fstat(below))

    def leave(self) -> None:
        """Go back up.

        Raises:
            OSError: The folder this one was entered from cannot be found any more. The place is
                lost, and may be left once more for the next one up.
        """
        left = self._above.pop()
        self._identity = left.identity  # Where it has to be from here on.
        above = self._parent() if left.kept is None else left.kept
        self._close_here()
        self.fd = above
        if self.is_lost or _identity(_os.fstat(self.fd)) != self._identity:
            self._come_again()

    def close(self) -> None:
        """Close whatever is open."""
        self._close_here()
        for step in self._above:
            if step.kept is not None:
                graceful_os.close(step.kept)

    def _parent(self) -> int:
        try:
            return int(graceful_os.open("..", _FOLDER, dir_fd=self.fd))
        except GracefulError:
            raise
        except OSError:
            return _NOWHERE

    def _come_again(self) -> None:
        """Go down from the top to where this place has to be."""
        self._close_here()
        other = Place(self._open_top)
        try:
            for step in self._above:
                other.enter(step.name, follows=step.follows)
            if other._trail() != self._trail():
                raise OSError(ESTALE, "the tree was moved while it was walked")
        except BaseException:
            other.close()
            raise
        self.close()
        self.fd, self._above = other.fd, other._above

    def _trail(self) -> list[tuple[int, int]]:
        return [*(step.identity for step in self._above), self._identity]

    def _close_here(self) -> None:
        if not self.is_lost:
            number, self.fd = self.fd, _NOWHERE
            graceful_os.close(number)


class _Above:
    """A folder above, and how the one below it was entered.

    Attributes:
        identity: What it must be when it is found again.
        name: Leads down from it.
        follows: Whether that may be a link.
        kept: Its descriptor, where ``..`` does not lead to it.
    """

    __slots__ = ("follows", "identity", "kept", "name")

    def __init__(
        self, identity: tuple[int, int], name: Any, follows: bool, kept: int | None
    ) -> None:
        self.identity = identity
        self.name = name
        self.follows = follows
        self.kept = kept


def _identity(found: _os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _leads_back(fd: int) -> bool:
    """Whether ``..`` can be opened in a folder: it may be one to be read and not passed."""
    try:
        _os.stat("..", dir_fd=fd)
    except OSError:
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
                (folders if entry.is_dir() else others).append(entry.name)
            except OSError:
                if listing.is_link(entry):
                    others.append(entry.name)
    return folders, others


def fwalk(
    top: Any,
    topdown: bool,
    onerror: Callable[[OSError], Any] | None,
    *,
    follow_symlinks: bool,
    dir_fd: int | None,
) -> Iterator[tuple[Any, list[Any], list[Any], int]]:
    """``os.fwalk``: path, folders, others, and a descriptor that is valid until the next step."""
    sys.audit("os.fwalk", top, topdown, onerror, follow_symlinks, dir_fd)
    top = _os.fspath(top)
    found = None if follow_symlinks else _os.stat(top, dir_fd=dir_fd, follow_symlinks=False)
    # The pair is for what is opened here: in a context apart from that of the caller.
    run = copy_context().run
    both = pair(top)
    run(both.__enter__)
    try:
        with closing(run(Place, partial(graceful_os.open, top, _ANYTHING, dir_fd=dir_fd))) as place:
            if found is None or (stat.S_ISDIR(found.st_mode) and place.is_at(found)):
                yield from _walk_from(place, top, topdown, onerror, follow_symlinks, run)
    finally:
        run(both.__exit__, None, None, None)


def _walk_from(
    place: Place,
    path: Any,
    topdown: bool,
    onerror: Callable[[OSError], Any] | None,
    follow_symlinks: bool,
    run: Callable[..., Any],
) -> Iterator[tuple[Any, list[Any], list[Any], int]]:
    encode = _os.fsencode if isinstance(path, bytes) else _os.fsdecode
    # Of each folder on the way down: its path, its lists, and the folders still to be entered.
    way: list[tuple[Any, list[Any], list[Any], list[Any]]] = []
    entered = True
    while True:
        if entered:
            folders, others = ([encode(name) for name in names] for names in run(_list, place.fd))
            if topdown:
                yield path, folders, others, place.fd
            way.append((path, folders, others, list(reversed(folders))))
        here, folders, others, left = way[-1]
        if left:
            name = left.pop()
            entered = run(_go_down, place, name, onerror, follow_symlinks)
            path = _os.path.join(here, name)
            continue
        entered = False
        if not topdown and not place.is_lost:
            yield here, folders, others, place.fd
        way.pop()
        if not way:
            return
        if not run(_go_up, place, onerror):
            way[-1][-1].clear()


def _go_down(
    place: Place, name: Any, onerror: Callable[[OSError], Any] | None, follow_symlinks: bool
) -> bool:
    try:
        if not follow_symlinks and _is_link(name, place.fd):
            return False
        place.enter(name, follows=follow_symlinks)
    except GracefulError:
        raise
    except OSError as error:
        if onerror is not None:
            onerror(error)
        return False
    return True


def _go_up(place: Place, onerror: Callable[[OSError], Any] | None) -> bool:
    try:
        place.leave()
    except GracefulError:
        raise
    except OSError as error:
        if onerror is not None:
            onerror(error)
    return not place.is_lost


_IS_TELLING_LESS = sys.version_info >= (3, 13)
"""Since then handlers are told only of what the system says, and of what is gone only if it is the
top; and each error names the path as they are given it."""


class Removal:
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
            place = Place(partial(graceful_os.open, top, _ANYTHING, dir_fd=dir_fd))
        except Exception as error:  # noqa: BLE001 - what nobody is told of is raised there
            self._tell(function, top, error)
            return
        with closing(place):
            if not place.is_at(found):
                self._refuse_link(top)
                return
            self._empty(place, top)
        self._try(_os.rmdir, top, top, dir_fd)

    def _refuse_link(self, path: Any) -> None:
        try:
            raise OSError("Cannot call rmtree on a symbolic link")
        except OSError as error:
            self._report(_os.path.islink, path, error)

    def _empty(self, place: Place, top: Any) -> None:
        way: list[tuple[Any, list[Any]]] = [(top, self._files_of(place, top))]
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
            above, others = way[-1]
            if self._leave(place, above):
                self._try(_os.rmdir, _os.path.basename(here), here, place.fd)
            else:
                others.clear()

    def _enter(self, place: Place, name: Any, path: Any) -> bool:
        function: Callable[..., Any] = _os.lstat
        try:
            if not stat.S_ISDIR(_os.lstat(name, dir_fd=place.fd).st_mode):
                function = _os.unlink  # It was a folder a moment ago.
                _os.unlink(name, dir_fd=place.fd)
                return False
            function = _os.open
            place.enter(name)
        except OSError as error:
            self._tell(function, path, error)
            return False
        return True

    def _leave(self, place: Place, above: Any) -> bool:
        try:
            place.leave()
        except OSError as error:
            self._tell(_os.open, above, error)
        return not place.is_lost

    def _files_of(self, place: Place, path: Any) -> list[Any]:
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
