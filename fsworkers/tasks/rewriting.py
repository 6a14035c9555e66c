"""A file made of another: beside its name until it is whole, with the metadata of the first."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from fsworkers import graceful
from fsworkers.errors import BadSetting
from fsworkers.graceful.os import chown_forgivingly
from fsworkers.tasks.outputs import Outputs, making

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CHUNK_BYTES = 1 << 20


class Pair(NamedTuple):
    """What is read, and what is made of it: unbuffered files, both open for reading."""

    source: Any
    target: Any


def mirror(
    folder: str, roots: Sequence[bytes], suffix: str = "", kind: type[Outputs] = Outputs
) -> Outputs:
    """The names of files at the same places below a folder.

    Raises:
        BadSetting: Files would replace what they are made of.
    """
    literal = folder.replace("{", "{{").replace("}", "}}")
    if not literal:
        raise BadSetting("to", folder, "a directory")
    outputs = kind(f"{literal}/{{rel}}{suffix}", roots)
    outputs.asked = f"--option to={folder}: "
    outputs.are_known = False
    return outputs


@contextmanager
def rewriting(
    output: bytes, path: bytes, roots: Sequence[bytes], *, syncs: bool = True
) -> Iterator[Pair]:
    """Open a file and the new one; what is written becomes the output if all goes well.

    Raises:
        OSError: It can't be read or written, or was changed meanwhile.
        CommandFailed: The two are one file.
        Skip: The file is an unfinished output.
    """
    _make_folders(os.path.dirname(output), os.path.dirname(path), roots)
    with (
        making(output, path) as temporary,
        graceful.open(path, "rb", buffering=0) as source,
        _created(temporary) as target,
    ):
        before = os.fstat(source.fileno())
        yield Pair(source, target)
        keep_metadata(path, temporary, before)
        after = os.fstat(source.fileno())
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise OSError(errno.EBUSY, "it was changed while it was read", os.fsdecode(path))
        if syncs:
            os.fsync(target.fileno())
        if not os.path.samestat(os.fstat(target.fileno()), os.stat(temporary)):
            raise OSError(errno.EBUSY, "another run makes it too", os.fsdecode(output))


def keep_metadata(path: bytes, target: bytes, status: os.stat_result) -> None:
    """Give a file the owner, if that may be, mode, times and extended attributes of another."""
    is_owned = chown_forgivingly(target, status.st_uid, status.st_gid)
    shutil.copystat(path, target)
    # Who may not give a file away makes one of his own, which must not run as him for others.
    if not is_owned and status.st_mode & (stat.S_ISUID | stat.S_ISGID):
        os.chmod(target, stat.S_IMODE(status.st_mode) & ~(stat.S_ISUID | stat.S_ISGID))


def is_same(one: Any, other: Any) -> bool:
    """Whether two files, read from where they are, have the same content."""
    while True:
        first = _chunk(one)
        if first != _chunk(other):
            return False
        if not first:
            return True


def _chunk(file: Any) -> bytes:
    """The next MiB of a file; a stream or an unbuffered file may give less at a time."""
    parts, left = [], CHUNK_BYTES
    while left and (data := file.read(left)):
        parts.append(data)
        left -= len(data)
    return b"".join(parts)


def write_all(target: Any, data: bytes | memoryview) -> None:
    """Write to an unbuffered file, which may take less than all at once."""
    left = memoryview(data)
    while left:
        left = left[target.write(left) :]


def remove_source(path: bytes, output: bytes) -> None:
    """Remove what another file was made of, once that is sure to outlive a power cut."""
    folder = graceful.os.open(os.path.dirname(output) or b".", os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        graceful.os.close(folder)
    os.unlink(path)


def _created(path: bytes) -> Any:
    # Nobody else may read it before it has the mode of what it is made of.
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    return graceful.os.fdopen(graceful.os.open(path, flags, 0o600), "rb+", buffering=0)


def _make_folders(folder: bytes, like: bytes, roots: Sequence[bytes]) -> None:
    """Make a folder, each level of it with the owner and mode of the source's, but writable."""
    if not folder or os.path.isdir(folder):
        return
    parent, name = os.path.split(folder)
    if like.rstrip(b"/") in [root.rstrip(b"/") for root in roots]:
        os.makedirs(parent or b".", exist_ok=True)
    elif name == os.path.basename(like):
        _make_folders(parent, os.path.dirname(like), roots)
    else:  # of a PATH that is a file, or above where a list of files begins
        os.makedirs(folder, exist_ok=True)
        return
    status = os.stat(like or b".")
    with suppress(FileExistsError):
        os.mkdir(folder, stat.S_IRWXU)
        chown_forgivingly(folder, status.st_uid, status.st_gid)
        os.chmod(folder, stat.S_IMODE(status.st_mode) | stat.S_IRWXU)  # whatever the umask is
