"""The directory in which a worker binds its sockets and the master connects to them.

Each worker has one, for the tenth of a second until the two have met; then the worker removes it.
The master locks it meanwhile, so that what is left when both are killed at one moment can be told
from what is in use, in whatever container: the next pool removes it.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import stat
import tempfile
from contextlib import suppress

from fsworkers.errors import DirectoryNotPrivate
from fsworkers.pool import wire

PREFIX = "fsw-"

_is_name = re.compile(PREFIX + "[0-9a-f]{16}").fullmatch


class SocketDirectory:
    """A directory of sockets. It has a name, and is made when the worker knows of it.

    Raises:
        OSError: There is no temporary directory.
    """

    def __init__(self) -> None:
        self.path = os.path.join(_parent(), f"{PREFIX}{os.urandom(8).hex()}")
        self._lock: int | None = None

    def make(self) -> None:
        """Make it, locked.

        Raises:
            DirectoryNotPrivate: Others could enter what was made.
            OSError: It can't be made.
        """
        is_there = False
        while not is_there:  # somebody who cleans up may have been quicker than the lock
            make_private_directory(self.path)
            with suppress(FileNotFoundError):
                self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                with suppress(OSError):  # no file system but a strange one has no locks
                    fcntl.flock(self._lock, fcntl.LOCK_EX)
            is_there = os.path.isdir(self.path)
            if not is_there:
                self.let_go()

    def let_go(self) -> None:
        """The two have met, and the worker removes it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def remove(self) -> None:
        """Remove it, if the worker has not done so."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.let_go()


def _parent() -> str:
    # An ipc address holds 107 bytes, whatever TMPDIR is set to.
    parent = tempfile.gettempdir()
    return parent if len(os.fsencode(parent)) < 70 else "/tmp"  # noqa: S108


def make_private_directory(path: str) -> None:
    """Make a directory that only this user can enter.

    Raises:
        DirectoryNotPrivate: The file system gave it to others as well.
        OSError: It can't be made.
    """
    os.mkdir(path, 0o700)
    status = os.stat(path)
    if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
        os.rmdir(path)
        raise DirectoryNotPrivate(os.path.dirname(path), stat.S_IMODE(status.st_mode))


def remove_stale_directories() -> None:
    """Remove those of masters and workers that were killed together, before they had met."""
    with suppress(OSError), os.scandir(_parent()) as entries:
        for name in [entry.name for entry in entries if _is_name(entry.name)]:
            with suppress(OSError):
                _remove_if_stale(os.path.join(_parent(), name))


def _remove_if_stale(path: str) -> None:
    """Remove a directory that nobody has locked, and nothing in it that is not ours.

    Raises:
        OSError: Somebody has, or it is no directory, or not ours.
    """
    lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if os.fstat(lock).st_uid == os.geteuid():
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for address in (wire.lane_address(path), wire.back_address(path)):
                with suppress(FileNotFoundError):
                    os.unlink(address.removeprefix("ipc://"))
            os.rmdir(path)
    finally:
        os.close(lock)
