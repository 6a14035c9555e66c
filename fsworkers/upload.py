"""Files put behind URLs, where each is whole or not at all, as far as its store lets it.

Stores of objects put them so by themselves. In what is a file system a file is written beside its
name and moved there; what is left of it after a failure is removed, if the store still answers.
"""

from __future__ import annotations

import errno
import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from fsworkers import storage
from fsworkers.errors import BadOption
from fsworkers.names import unfinished

if TYPE_CHECKING:
    from collections.abc import Callable


def check_place(url: str, option: str) -> None:
    """Look whether a store has a place for a file: something above it, if only the bucket.

    Args:
        url: Of the file.
        option: What the message begins with.

    Raises:
        BadOption: It has none.
        MissingExtra: fsspec is not installed.
    """
    files, path = storage.reached(url)
    if storage.is_any_of(files, {"http", "https"}):
        raise BadOption(f"{option}: HTTP's URLs can't be written to; name another place")
    above = path
    while above := above.rpartition("/")[0]:
        if files.exists(above):
            return
    has_root = files.root_marker == "/" or _move_of(files) is not None  # no bucket is needed
    if has_root and files.exists("/"):
        return
    raise BadOption(
        f"{option}: there is no such bucket or folder, or it is not to be reached; make it first"
    )


def put(source: str, url: str) -> None:
    """Put a local file to a URL; what is there is replaced.

    Raises:
        OSError: The store refuses it, or is not to be reached.
    """
    try:
        with storage.explained(url):
            files, path = storage.filesystem(url)
            move = _move_of(files)
            if move is _move_by_webdav and _MISREAD.search(path):
                move = None
            if move is None:
                files.put_file(source, path, **storage.sparing(files))
            else:
                _put_beside(files, source, path, move)
    except OSError:
        raise
    except Exception as error:
        raise OSError(storage.in_a_line(error)) from error


def _put_beside(files: Any, source: str, path: str, move: Callable[[Any, str, str], None]) -> None:
    folder, slash, name = path.rpartition("/")
    _make_folder(files, folder)
    temporary = folder + slash + os.fsdecode(unfinished(os.fsencode(name)))
    try:
        files.put_file(source, temporary)
        move(files, temporary, path)
    except BaseException:
        with suppress(Exception):  # it is gone, or can't be reached: the first error says why
            files.rm_file(temporary)
        raise


def _make_folder(files: Any, folder: str) -> None:
    """Make a folder and those above it, which others may do at the same time."""
    if not folder or files.isdir(folder):
        return
    _make_folder(files, folder.rpartition("/")[0])
    try:
        files.mkdir(folder, create_parents=False)
    except Exception:
        if not files.isdir(folder):
            raise


def _replace(_files: Any, old: str, new: str) -> None:
    os.replace(old, new)  # fsspec's would go into a directory of that name


def _move(files: Any, old: str, new: str) -> None:
    files.mv(old, new)


def _move_by_webdav(files: Any, old: str, new: str) -> None:
    if files.isdir(new):  # which would be replaced, with all that is in it
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), new)
    files.client.move(old, new, overwrite=True)  # fsspec's copies and removes


def _remove_and_move(files: Any, old: str, new: str) -> None:
    if files.exists(new):
        files.rm_file(new)
    files.mv(old, new)


# What mv of each does where something is in the place: fsspec 2026.9, webdav4 0.11, pyarrow 25.
_MOVES = {
    "file": _replace,
    "local": _replace,
    "sftp": _move,  # posix-rename@openssh.com replaces
    "ssh": _move,
    "hdfs": _move,
    "webdav": _move_by_webdav,
    "dav": _move_by_webdav,
    "smb": _remove_and_move,  # refuses
    "ftp": _remove_and_move,  # as the server likes
    "webhdfs": _remove_and_move,  # does nothing, and says nothing
}


_MISREAD = re.compile("[?;\0-\x1f]")
"""What WsgiDAV (4.4) takes for something else in where a file is to be moved, and not in a put."""


def _move_of(files: Any) -> Callable[[Any, str, str], None] | None:
    return next((move for name, move in _MOVES.items() if storage.is_any_of(files, {name})), None)
