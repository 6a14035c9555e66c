"""The task ``archive``: is everything in an archive what it was when it was put in?

What a file is, its first bytes say; its suffix, that it should be an archive. All that is packed
is unpacked, which checks the sums that the format has, and thrown away as it comes: memory stays
the same.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

from msgspec import Meta

from fsworkers import graceful
from fsworkers.errors import FsworkersError, MissingExtra, Skip
from fsworkers.tasks.task import Column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHUNK_BYTES = 1 << 18

HARMLESS_BYTES = 1 << 26
"""No archive is a bomb that unpacks to no more than this."""

MOST_HEADER_BYTES = 1 << 24
"""Of a tar: a name or attributes that would take more memory are not believed."""

MOST_DICTIONARY_BYTES = 1 << 30
"""Of an xz: ``xz -9`` takes 64 MB."""

_MAGIC = {
    b"PK\3\4": "zip",
    b"PK\5\6": "zip",
    b"\x1f\x8b": "gz",
    b"BZh": "bz2",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "zst",
    **{bytes([0x50 + number]) + b"\x2a\x4d\x18": "zst" for number in range(16)},  # to be skipped
}

_TARS = (
    ".tar", ".tgz", ".tbz", ".tbz2", ".txz", ".tzst", *(f".tar.{kind}" for kind in _MAGIC.values())
)  # fmt: skip
_SUFFIXES = (*_TARS, *(f".{kind}" for kind in _MAGIC.values()))


class BadArchive(FsworkersError, ValueError):
    """An archive is corrupt, or would take too much to unpack.

    Attributes:
        reason: What is wrong.
        member: With which of its members; ``None`` where it is none in particular.
    """

    def __init__(self, reason: str, member: str | None = None) -> None:
        self.reason = reason
        self.member = member
        super().__init__(reason if member is None else f"member {member!r}: {reason}")


class Found(NamedTuple):
    """A member.

    Attributes:
        name: Its name; ``None`` for what a stream holds, which has none.
        size: Bytes, unpacked.
        is_encrypted: Whether it can't be tested for want of a password.
    """

    name: str | None
    size: int
    is_encrypted: bool = False


class Archive:
    """Test and list archives: zip, tar, gz, bz2, xz, zst, by content; others are skipped.

    A file that has an archive's suffix and is none is corrupt.

    Args:
        names: How many members are named in the value at most.
        max_ratio: How many times its own size an archive may unpack to, beyond 64 MiB.
        max_size: How many bytes it may unpack to; ``None`` for any number.
    """

    columns: ClassVar = (
        Column("format", "text", meaning="zip, tar, tar.gz, gz…"),
        Column("members", "integer"),
        Column("size", "integer", "bytes", "unpacked"),
        Column("encrypted", "integer", meaning="members that were listed and not tested"),
        Column("names", "json", meaning="of the first members"),
    )
    example: ClassVar = "fsworkers process backups --task archive -o archives.jsonl"

    def __init__(
        self,
        names: Annotated[int, Meta(ge=0, description="members named in the value at most")] = 100,
        max_ratio: Annotated[
            int, Meta(ge=1, description="how many times its size it may unpack to, beyond 64 MiB")
        ] = 1000,
        max_size: Annotated[
            int | None, Meta(ge=1, description="bytes it may unpack to, whatever its size")
        ] = None,
    ) -> None:
        self.names = names
        self.max_ratio = max_ratio
        self.max_size = max_size

    def __call__(self, path: str) -> dict[str, Any]:
        """Test one file.

        Raises:
            BadArchive: It is corrupt, or too large unpacked.
            MissingExtra: It is a zst, and no package is there that reads it.
            Skip: It is no archive.
            OSError: It can't be opened or read.
        """
        with graceful.open(path, "rb") as file:
            head = file.read(tarfile.BLOCKSIZE)
            name = path.lower()
            kind = _kind_of(file, head, name)
            check = _limit(file.seek(0, io.SEEK_END), self.max_ratio, self.max_size)
            file.seek(0)
            members = size = encrypted = 0
            names: list[str] = []
            last: str | None = None
            rest: Any = io.BytesIO()
            try:
                if kind == "zip":
                    found = _in_zip(file, check)
                else:
                    stream = io.BufferedReader(_unpacked(file, kind), CHUNK_BYTES)
                    if kind != "tar" and _is_packed_tar(stream, name):
                        kind = f"tar.{kind}"
                    find = _in_tar if kind.startswith("tar") else _in_stream
                    rest = Forward(stream, check)
                    found = find(rest)
                for one in found:
                    last = one.name
                    members += 1
                    size += one.size
                    encrypted += one.is_encrypted
                    if one.name is not None and len(names) < self.names:
                        names.append(_as_text(one.name))
                last = None
                while rest.read(CHUNK_BYTES):  # behind a tar's end mark, up to the packing's sum
                    pass
            except MissingExtra:
                raise
            except Exception as error:
                if isinstance(error, OSError) and error.errno is not None:
                    raise  # the file can't be read, whatever is in it
                reason = str(error) or type(error).__name__
                raise BadArchive(f"{kind}: {reason}", last) from error
        return {
            "format": kind,
            "members": members,
            "size": size,
            "encrypted": encrypted,
            "names": names,
        }


def _kind_of(file: Any, head: bytes, name: str) -> str:
    if not head and name.endswith(_SUFFIXES):
        raise BadArchive("it is empty, which no archive is")
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            return kind
    if head and _is_tar(head, may_be_empty=name.endswith(".tar")):
        return "tar"
    if name.endswith(".zip") and zipfile.is_zipfile(file):  # its list is at the end
        return "zip"
    if name.endswith(_SUFFIXES):
        raise BadArchive("it begins like no archive that is known, though its name says it is one")
    raise Skip("no archive: it begins like none that is known")


def _is_tar(head: bytes, *, may_be_empty: bool) -> bool:
    block = head[: tarfile.BLOCKSIZE]
    if may_be_empty and not block.strip(b"\0"):
        return True
    if block[257:262] == b"ustar":
        return True
    try:  # one from before POSIX has nothing but its sum
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _is_packed_tar(stream: io.BufferedReader, name: str) -> bool:
    is_called_one = name.endswith(_TARS)
    is_one = _is_tar(stream.peek(tarfile.BLOCKSIZE), may_be_empty=is_called_one)
    if is_called_one and not is_one:
        raise ValueError("no tar is in it, though its name says so")
    return is_one


def _as_text(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _limit(packed: int, max_ratio: int, max_size: int | None) -> Callable[[int], None]:
    """What raises a ``ValueError`` if so many bytes are more than may come out of an archive."""
    most = max(HARMLESS_BYTES, packed * max_ratio)
    reason = (
        f"it unpacks to more than {max_ratio:,} times its size, and may be a bomb; "
        "--option max_ratio=… allows more"
    )
    if max_size is not None and max_size < most:
        most, reason = max_size, f"it unpacks to more than max_size={max_size}"

    def check(size: int) -> None:
        if size > most:
            raise ValueError(reason)

    return check


def _in_zip(file: Any, check: Callable[[int], None]) -> Iterator[Found]:
    """Each member before it is tested: the one told of last is at fault."""
    with zipfile.ZipFile(file) as archive:
        infos = archive.infolist()
        check(sum(info.file_size for info in infos))
        for info in infos:
            is_encrypted = bool(info.flag_bits & 1)
            yield Found(info.filename, info.file_size, is_encrypted)
            if not is_encrypted:
                with archive.open(info) as member:
                    while member.read(CHUNK_BYTES):
                        pass


def _in_tar(file: Forward) -> Iterator[Found]:
    """Likewise, up to the end mark."""
    tar: Any
    try:
        tar = tarfile.TarFile(fileobj=file, mode="r")  # type: ignore[arg-type]
    except tarfile.ReadError:
        if file.tell() == 0:  # nothing at all was packed, which tar takes for no members
            return
        raise
    # Its own way through members keeps all of them, and takes a broken header for the end.
    member = tar.firstmember
    while member is not None:
        yield Found(member.name, member.size if member.isreg() else 0)
        file.seek(tar.offset)
        try:
            member = tarfile.TarInfo.fromtarfile(tar)
        except (tarfile.EOFHeaderError, tarfile.EmptyHeaderError):  # type: ignore[attr-defined]
            return
        except tarfile.HeaderError as error:
            raise ValueError(f"behind it: {error}") from error


def _in_stream(file: Forward) -> Iterator[Found]:
    while file.read(CHUNK_BYTES):
        pass
    yield Found(None, file.tell())


class Forward:
    """What ``tarfile`` needs of a file, of one that can only be read once and in order.

    Args:
        stream: Where it is read from.
        check: Raises where so many bytes are too much.
    """

    def __init__(self, stream: Any, check: Callable[[int], None]) -> None:
        self._stream = stream
        self._check = check
        self._position = 0

    def tell(self) -> int:
        """Bytes that were read."""
        return self._position

    def read(self, count: int) -> bytes:
        """Read so many bytes, fewer only at the end.

        Raises:
            ValueError: They are more than any header has.
        """
        if count > MOST_HEADER_BYTES:
            raise ValueError(f"a header of {count:,} bytes")
        data: bytes = self._stream.read(count)
        self._position += len(data)
        self._check(self._position)
        return data

    def seek(self, position: int) -> None:
        """Go forward.

        Raises:
            EOFError: There is not so much.
        """
        while self._position < position:
            if not self.read(min(CHUNK_BYTES, position - self._position)):
                raise EOFError("the archive ends in the midst of it")


def _unpacked(file: Any, kind: str) -> Any:
    if kind == "tar":
        return file
    if kind == "gz":
        return gzip.GzipFile(fileobj=file)
    if kind == "bz2":
        return Unpacked(file, bz2.BZ2Decompressor)
    if kind == "xz":
        return Unpacked(file, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, MOST_DICTIONARY_BYTES))
    for name in ("compression.zstd", "backports.zstd"):  # the first one from Python 3.14 on
        try:
            return Unpacked(file, import_module(name).ZstdDecompressor)
        except ImportError:
            continue
    raise MissingExtra("what reads zst", "zstd")


class Unpacked(io.RawIOBase):
    """The content of packed streams, one behind the other; what else follows them is an error.

    The file objects of the standard library ignore what follows, also a stream that is damaged.

    Args:
        file: At its beginning.
        new: Makes what unpacks one stream, with the face of ``bz2.BZ2Decompressor``.
    """

    def __init__(self, file: Any, new: Callable[[], Any]) -> None:
        self._file = file
        self._new = new
        self._one = new()
        self._given = b""

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Unpack at most what the buffer holds.

        Raises:
            EOFError: The last stream is cut off.
            Exception: What the library raises where data are corrupt.
        """
        while not self._one.eof or self._begin_next():
            given = b""
            if needs_input := self._one.needs_input:
                given, self._given = self._given or self._file.read(CHUNK_BYTES), b""
            if data := self._one.decompress(given, len(buffer)):
                buffer[: len(data)] = data
                return len(data)
            if needs_input and not given and not self._one.eof:
                raise EOFError("the packed data end before their end mark")
        return 0

    def _begin_next(self) -> bool:
        """Go on with the stream behind one that has ended, if there is one; zeros are padding."""
        given = self._one.unused_data.lstrip(b"\0")
        while not given:
            read = self._file.read(CHUNK_BYTES)
            if not read:
                return False
            given = read.lstrip(b"\0")
        self._given = given
        self._one = self._new()
        return True
