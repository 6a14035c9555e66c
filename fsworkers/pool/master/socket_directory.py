"""The directory in which a worker binds its sockets and the master connects to them.

Each worker has one, for the tenth of a second until the two have met; then the worker removes it.
One that is left, as both were killed at that moment, is removed by a later pool: by its age, which
holds across containers and versions, where neither a lock nor a process number would.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from contextlib import suppress
from time import time

from fsworkers.errors import DirectoryNotPrivate
from fsworkers.pool import wire

PREFIX = "fsw-"

STALE_S = 600.0
"""So long no worker takes to start: it is given 30 s."""

_is_name = re.compile(PREFIX + "[0-9a-f]{16}").fullmatch


class SocketDirectory:
    """A directory of sockets. It has a name, and is made when the worker knows of it.

    Raises:
        OSError: There is no temporary directory.
    """

    def __init__(self) -> None:
        self.path = os.path.join(_parent(), f"{PREFIX}{os.urandom(8).hex()}")

    def make(self) -> None:
        """Make it.

        Raises:
            DirectoryNotPrivate: Others could enter what was made.
            OSError: It can't be made.
        """
        make_private_directory(self.path)

    def remove(self) -> None:
        """Remove it, if the worker has not done so."""
        shutil.rmtree(self.path, ignore_errors=True)


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
    """Remove a directory that has long been there, and nothing in it that is not ours.

    Raises:
        OSError: It is none, or holds something else.
    """
    found = os.lstat(path)
    if found.st_uid == os.geteuid() and time() - found.st_mtime > STALE_S:
        for address in (wire.lane_address(path), wire.back_address(path)):
            with suppress(FileNotFoundError):
                os.unlink(address.removeprefix("ipc://"))
        os.rmdir(path)
