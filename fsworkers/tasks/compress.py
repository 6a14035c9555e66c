"""The tasks ``compress`` and ``decompress``: a file beside each, whole and tested, or none."""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

import msgspec

from fsworkers import graceful
from fsworkers.errors import BadSetting, Skip
from fsworkers.tasks.codecs import Codec, Engine, Format, Whole, codec
from fsworkers.tasks.outputs import Outputs
from fsworkers.tasks.rewriting import CHUNK_BYTES, is_same, mirror, remove_source, rewriting
from fsworkers.tasks.task import Column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

COMPRESSED = tuple(
    b"." + name for name in b"gz tgz zst tzst bz2 tbz2 xz txz lzma lz4 br zip 7z rar".split()
)
"""How names of files end that are compressed already."""

_DECOMPRESSED: dict[bytes, tuple[Format, bytes]] = {
    b".gz": ("gz", b""),
    b".tgz": ("gz", b".tar"),
    b".zst": ("zst", b""),
    b".tzst": ("zst", b".tar"),
}
"""By how a name ends: the format, and how that of its content does."""

HARMLESS_BYTES = 64 << 20
"""What no ratio is asked of."""

_To = Annotated[str, "directory for the outputs; beside each file otherwise"]
_Remove = Annotated[bool, "remove each file when what was made of it has been tested"]
_Force = Annotated[bool, "replace what is there"]
_Engine = Annotated[Engine, "isal is several times as fast, and needs fsworkers[isal]"]


class _Recoding:
    """What the two have in common."""

    columns: ClassVar = (
        Column("bytes", "integer", "bytes", "uncompressed"),
        Column("compressed", "integer", "bytes", "compressed"),
    )
    descriptors: ClassVar = 2

    def __init__(self, to: str, remove: bool, force: bool, engine: Engine) -> None:
        self.to = to
        self.remove = remove
        self.force = force
        self.engine: Engine = engine
        self.outputs = self._named([b"/"])

    def _named(self, roots: Sequence[bytes]) -> Outputs:
        raise NotImplementedError

    def place_outputs(self, to: str | None, roots: Sequence[bytes]) -> Self:
        """Learn the PATHs.

        Raises:
            BadSetting: There is a template, which would name files against their format.
        """
        if to is not None:
            raise BadSetting("--to", to, "a directory for the outputs as --option to=DIR")
        self.outputs = self._named(roots)
        self.outputs.are_known = False
        return self

    def _made_before(self, source: bytes, output: bytes) -> bool:
        """Whether a file was made before that has to be tested, for the source to be removed.

        Raises:
            FileExistsError: There is one that was made of something else.
            Skip: It was made of this, and nothing is left to do.
        """
        if self.force:
            return False
        try:
            there = os.lstat(output)
        except (FileNotFoundError, NotADirectoryError):
            return False
        if there.st_mtime_ns != os.stat(source).st_mtime_ns:
            what = "there is such a file already; force=true replaces it"
            raise FileExistsError(errno.EEXIST, what, os.fsdecode(output))
        if not self.remove:
            raise Skip("done before: there is a file made of it, with its time")
        return True


class Compress(_Recoding):
    """Compress each file to one beside it, FILE.gz or FILE.zst, with its times and mode.

    Args:
        format: That of the output.
        level: How hard to try; the format's usual one by default.
        to: Directory of the outputs.
        remove: Whether the files are removed.
        force: Whether outputs that are there are replaced.
        engine: What makes gzip.

    Raises:
        BadSetting: There is no such level.
        MissingExtra: The format or the engine needs a package that is not installed.
    """

    example: ClassVar = "fsworkers process logs -g '*.log' --task compress --option remove=true"

    def __init__(
        self,
        format: Annotated[Format, "zst needs fsworkers[zstd] before Python 3.14"] = "gz",  # noqa: A002
        level: Annotated[int | None, "gz 1 to 9, or 0 to 3 with isal; zst 1 to 22"] = None,
        to: _To = "",
        remove: _Remove = False,
        force: _Force = False,
        engine: _Engine = "zlib",
    ) -> None:
        self.format: Format = format
        low, usual, high = codec(format, engine).levels
        self.level = usual if level is None else level
        if not low <= self.level <= high:
            raise BadSetting("level", level, f"{low} to {high}")
        super().__init__(to, remove, force, engine)

    def _named(self, roots: Sequence[bytes]) -> Outputs:
        ending = f".{self.format}"
        return mirror(self.to, roots, ending) if self.to else Outputs(f"{{}}{ending}", roots)

    def __call__(self, path: str) -> dict[str, int]:
        """Compress one file.

        Raises:
            OSError: It can't be read, or the output not be written, or is not what was read.
            Skip: It is compressed, or was before.
        """
        source = os.fsencode(path)
        if source.lower().endswith(COMPRESSED):
            raise Skip("compressed already, by its name")
        way = codec(self.format, self.engine)
        output = self.outputs.name_for(source)
        if self._made_before(source, output):
            with _both(source, output) as (one, packed):
                sizes = _test(way, one, packed, path)
        else:
            with rewriting(output, source, self.outputs.roots) as pair:
                with way.writer(Whole(pair.target), self.level) as packed:
                    _pour(pair.source, packed.write)
                sizes = _sizes(pair.source, pair.target)
                if self.remove:
                    _test(way, pair.source, pair.target, path)
        if self.remove:
            remove_source(source, output)
        return sizes


class Decompress(_Recoding):
    """Decompress each .gz, .tgz, .zst and .tzst file to one beside it, with its times and mode.

    Args:
        to: Directory of the outputs.
        remove: Whether the files are removed.
        force: Whether outputs that are there are replaced.
        max_ratio: How many times its size a file may become.
        max_size: How large one may become.
        engine: What reads gzip.

    Raises:
        MissingExtra: The engine needs a package that is not installed.
    """

    example: ClassVar = "fsworkers process dumps --task decompress --option to=/tmp/dumps"

    def __init__(
        self,
        to: _To = "",
        remove: _Remove = False,
        force: _Force = False,
        max_ratio: Annotated[
            int,
            msgspec.Meta(ge=1, description="how many times its size a file may grow, above 64 MiB"),
        ] = 1000,
        max_size: Annotated[
            int | None, msgspec.Meta(ge=1, description="bytes that a file may grow to")
        ] = None,
        engine: _Engine = "zlib",
    ) -> None:
        self.max_ratio = max_ratio
        self.max_size = max_size
        codec("gz", engine)
        super().__init__(to, remove, force, engine)

    def _named(self, roots: Sequence[bytes]) -> Outputs:
        return mirror(self.to, roots, kind=Decompressed) if self.to else Decompressed("{}", roots)

    def __call__(self, path: str) -> dict[str, int]:
        """Decompress one file.

        Raises:
            OSError: It can't be read, or the output not be written.
            ValueError: It is damaged, or larger than it may be.
            Skip: It is not compressed, by its name, or was decompressed before.
        """
        source = os.fsencode(path)
        output = self.outputs.name_for(source)
        if not output:
            raise Skip("its name does not end in .gz, .tgz, .zst or .tzst")
        way = codec(_DECOMPRESSED[_ending(source)][0], self.engine)
        if self._made_before(source, output):
            with _both(source, output) as (packed, one):
                sizes = _test(way, one, packed, path)
        else:
            with rewriting(output, source, self.outputs.roots) as pair:
                self._unpack(way, pair.source, Whole(pair.target).write)
                sizes = _sizes(pair.target, pair.source)
        if self.remove:
            remove_source(source, output)
        return sizes

    def _unpack(self, way: Codec, packed: Any, write: Callable[[Any], object]) -> None:
        size = os.fstat(packed.fileno()).st_size
        most = max(HARMLESS_BYTES, size * self.max_ratio)
        name = f"max_ratio={self.max_ratio}"
        if self.max_size is not None and self.max_size < most:
            most, name = self.max_size, f"max_size={self.max_size}"
        if size == 0:
            raise ValueError("damaged: it is empty, which no compressed file is")
        try:
            with way.reader(packed) as content:
                _pour(content, write, most, name)
        except way.errors as error:
            raise ValueError(f"damaged, or something follows its data: {error}") from error


class Decompressed(Outputs):
    """Names what is in compressed files; others have no output."""

    def __init__(self, template: str, roots: Sequence[bytes]) -> None:
        super().__init__(template, roots)
        self.is_injective = False  # a.gz and a.zst
        self.asked = ""

    def name_for(self, path: bytes) -> bytes:
        """The path without its ending, which is one that stands for compression."""
        ending = _ending(path)
        if ending not in _DECOMPRESSED:
            return b""
        return super().name_for(path)[: -len(ending)] + _DECOMPRESSED[ending][1]


def _ending(path: bytes) -> bytes:
    return os.path.splitext(path)[1].lower()


def _pour(source: Any, write: Callable[[Any], object], most: float = 0, name: str = "") -> None:
    """Read a file to its end.

    Raises:
        ValueError: There is more than there may be, if there is a limit.
    """
    count = 0
    while data := source.read(CHUNK_BYTES):
        count += len(data)
        if most and count > most:
            raise ValueError(f"it holds more than {most} bytes; {name} lets no more pass")
        write(data)


@contextmanager
def _both(*paths: bytes) -> Iterator[list[Any]]:
    with ExitStack() as stack:
        yield [stack.enter_context(graceful.open(path, "rb", buffering=0)) for path in paths]


def _test(way: Codec, plain: Any, packed: Any, path: str) -> dict[str, int]:
    """Compare a file with what is compressed in another, from their beginnings.

    Raises:
        OSError: They differ, or the other one is damaged.
    """
    plain.seek(0)
    packed.seek(0)
    try:
        with way.reader(packed) as content:
            is_whole = is_same(plain, content)
    except way.errors:
        is_whole = False
    if not is_whole:
        raise OSError(errno.EIO, "it stays: decompressed, the other file is not the same", path)
    return _sizes(plain, packed)


def _sizes(plain: Any, packed: Any) -> dict[str, int]:
    return {
        "bytes": os.fstat(plain.fileno()).st_size,
        "compressed": os.fstat(packed.fileno()).st_size,
    }
