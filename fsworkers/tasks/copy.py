"""The task ``copy``: a mirror of what is found, where each file is there whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
import sys
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from fsworkers import graceful
from fsworkers.errors import BadSetting, Skip
from fsworkers.names import is_url, printable
from fsworkers.tasks.rewriting import (
    CHUNK_BYTES,
    Pair,
    is_same,
    keep_metadata,
    mirror,
    rewriting,
    write_all,
)
from fsworkers.tasks.task import Column

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fsworkers.tasks.outputs import Outputs
    from fsworkers.tasks.remote_copy import RemoteCopy

_FICLONE = 0x40049409  # ioctl_ficlone(2)


class Copy:
    """Copy each file to the same place below another directory, with its metadata, or a URL.

    Args:
        to: That directory.
        update: What is left as it is.
        verify: Compare what has been written.
        fsync: Wait until it is on the disk.
    """

    columns: ClassVar = (
        Column("bytes", "integer", "bytes", "of content"),
        Column("how", "text", meaning="reflink (both share the blocks), copy, upload, download"),
    )
    example: ClassVar = "fsworkers process photos --task copy --option to=/mnt/backup/photos"
    descriptors: ClassVar = 2
    takes_urls: ClassVar = True
    outputs: Outputs

    def __init__(
        self,
        to: Annotated[str, "directory or URL to copy to; made if it is not there"],
        update: Annotated[
            Literal["time", "content", "always"],
            "skip what is there with the same size and time (up to a URL: no older), or content",
        ] = "time",
        verify: Annotated[bool, "read each copy back from the disk and compare it"] = False,
        fsync: Annotated[bool, "wait for the disk before a copy gets its name"] = True,
    ) -> None:
        self.to = to
        self.update = update
        self.verify = verify
        self.fsync = fsync
        if not is_url(to):  # that needs to know the PATHs
            self.outputs = mirror(to, [b"/"])

    def place_outputs(self, to: str | None, roots: Sequence[bytes]) -> Copy | RemoteCopy:
        """Learn the PATHs.

        Raises:
            BadOption: The store to copy to is not to be reached.
            BadSetting: The copy would be among what is copied, or replace it.
        """
        if to is not None:
            raise BadSetting("--to", to, "the directory to copy to as --option to=DIR")
        if any(map(is_url, [self.to, *map(os.fsdecode, roots)])):
            from fsworkers.tasks.remote_copy import RemoteCopy  # noqa: PLC0415  (only with URLs)

            made = RemoteCopy(self.to, roots, self.update, verifies=self.verify, syncs=self.fsync)
            made.columns = self.columns
            return made
        there = os.path.join(os.path.realpath(os.fsencode(self.to)), b"")
        for root in roots:
            real = os.path.realpath(root)
            if os.path.join(real, b"").startswith(there) and os.path.isdir(real):
                accepted = f"a directory that {printable(os.fsdecode(root))!r} is not in"
                raise BadSetting("to", self.to, accepted)
        self.outputs = mirror(self.to, roots)
        return self

    def __call__(self, path: str) -> dict[str, Any]:
        """Copy one file.

        Raises:
            OSError: It can't be read, or the copy not be written.
            Skip: It is there.
        """
        source = os.fsencode(path)
        output = self.outputs.name_for(source)
        self._skip_if_there(source, output)
        with rewriting(output, source, self.outputs.roots, syncs=self.fsync) as pair:
            how = _copy(pair)
            size = os.fstat(pair.target.fileno()).st_size
            if self.verify:
                _compare(pair, path)
        return {"bytes": size, "how": how}

    def _skip_if_there(self, source: bytes, output: bytes) -> None:
        if self.update == "always":
            return
        status = os.stat(source)
        try:
            there = os.lstat(output)
        except (FileNotFoundError, NotADirectoryError):
            return
        if not stat.S_ISREG(there.st_mode) or there.st_size != status.st_size:
            return
        if self.update == "content":
            with (
                graceful.open(source, "rb", buffering=0) as one,
                graceful.open(output, "rb", buffering=0) as other,
            ):
                if not is_same(one, other):
                    return
            keep_metadata(source, output, status)
            raise Skip("there already: the same content")
        if there.st_mtime_ns == status.st_mtime_ns:
            raise Skip("there already: the same size and time")


def _copy(pair: Pair) -> str:
    """Copy the content in the cheapest way that the file system has."""
    source, target = pair.source.fileno(), pair.target.fileno()
    if sys.platform == "linux":
        from fcntl import ioctl  # noqa: PLC0415  (as the condition says)

        try:
            ioctl(target, _FICLONE, source)
        except OSError:
            pass  # not one file system, or one that shares no blocks: as most
        else:
            return "reflink"
    end = 0
    for start, end in _extents(source):
        _copy_range(pair, start, end)
    status = os.fstat(source)
    if end < status.st_size:  # it ends with a hole
        os.ftruncate(target, status.st_size)
    return "copy"


def _extents(source: int) -> Iterator[tuple[int, int]]:
    """Where a file's data is, between its holes."""
    status = os.fstat(source)
    if status.st_blocks * 512 >= status.st_size or not hasattr(os, "SEEK_DATA"):
        yield 0, sys.maxsize
        return
    end = 0
    while end < status.st_size:
        try:
            start = os.lseek(source, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:  # nothing but a hole is left
                raise
            return
        end = os.lseek(source, start, os.SEEK_HOLE)
        yield start, end


def _copy_range(pair: Pair, start: int, end: int) -> None:
    source, target = pair.source.fileno(), pair.target.fileno()
    os.lseek(source, start, os.SEEK_SET)
    os.lseek(target, start, os.SEEK_SET)
    left = end - start
    if hasattr(os, "copy_file_range"):
        try:
            while left and (count := os.copy_file_range(source, target, min(left, 1 << 30))):
                left -= count
        except OSError as error:
            if error.errno not in _NOT_IN_THE_KERNEL:
                raise
    # All of it where the kernel can't, and what it does not tell of, as in /proc.
    while left and (data := pair.source.read(min(left, CHUNK_BYTES))):
        write_all(pair.target, data)
        left -= len(data)


_NOT_IN_THE_KERNEL = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM}
"""What copy_file_range(2) answers for file systems that it can't serve; EPERM in some sandboxes."""


def _compare(pair: Pair, path: str) -> None:
    """Look whether both are the same, the copy as it is on the disk.

    Raises:
        OSError: They are not.
    """
    number = pair.target.fileno()
    os.fsync(number)
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(number, 0, 0, os.POSIX_FADV_DONTNEED)
    for one in pair:
        one.seek(0)
    if not is_same(*pair):
        raise OSError(errno.EIO, "the copy is not what was read", path)
