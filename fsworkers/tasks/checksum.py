"""The task ``checksum``: a file's digest, or several in one read."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Protocol, TypeAlias, get_args

from fsworkers.errors import BadSetting, MissingExtra
from fsworkers.tasks.reading import ReadsWhole
from fsworkers.tasks.task import Column

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Algorithm: TypeAlias = Literal[
    "sha256",
    "sha1",
    "sha224",
    "sha384",
    "sha512",
    "md5",
    "blake2b",
    "blake3",
    "xxh3_64",
    "xxh3_128",
]  # fmt: skip

ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)

EXTRAS = {"blake3": "blake3", "xxh3_64": "xxhash", "xxh3_128": "xxhash"}
"""Algorithms that a package of that name has, which an extra of that name installs."""

if TYPE_CHECKING:
    Algorithms: TypeAlias = Algorithm | Sequence[Algorithm]
else:  # as the option is read
    Algorithms = tuple[Algorithm, ...]


class Digest(Protocol):
    """What the objects of ``hashlib`` and of the extras have in common."""

    def update(self, data: Any, /) -> Any:
        """Take more bytes."""

    def hexdigest(self) -> str:
        """The digest of all bytes taken, in lower-case hexadecimal."""


_Constructor: TypeAlias = "Callable[[memoryview], Digest]"


class Checksum(ReadsWhole):
    """Read each file and give its digest in lower-case hexadecimal, as sha256sum does.

    Args:
        algorithm: One of ``ALGORITHMS``; of several, the value is a mapping.

    Raises:
        BadSetting: An algorithm that is not known, or none.
        MissingExtra: One is asked for whose package is not installed.
    """

    columns: Sequence[Column] = (Column("digest", "text", meaning="in lower-case hexadecimal"),)
    example: ClassVar = "fsworkers process photos --option algorithm=blake3 -o photos.b3"

    def __init__(
        self,
        algorithm: Annotated[
            Algorithms,
            "of several, each is a column; blake3 needs fsworkers[blake3], xxh3 fsworkers[xxhash]",
        ] = ("sha256",),
    ) -> None:
        names = [algorithm] if isinstance(algorithm, str) else [*dict.fromkeys(algorithm)]
        if not names:
            raise BadSetting("algorithm", "", f"some of {', '.join(ALGORITHMS)}")
        self.algorithm = ",".join(names)
        constructors: dict[str, _Constructor] = {name: constructor_of(name) for name in names}
        if len(names) == 1:
            (new,) = constructors.values()
            super().__init__(new, type(new(memoryview(b""))).hexdigest)
            return
        self.columns = tuple(Column(name) for name in names)
        super().__init__(partial(_Several, constructors), _Several.hexdigests)

    def __reduce__(self) -> tuple[type[Checksum], tuple[list[str]]]:
        """Travel by the algorithms' names."""
        return Checksum, (self.algorithm.split(","),)


class _Several:
    """Digests of the same bytes."""

    __slots__ = ("_digests",)

    def __init__(self, constructors: dict[str, _Constructor], data: memoryview) -> None:
        self._digests = {name: new(data) for name, new in constructors.items()}

    def update(self, data: memoryview) -> None:
        for digest in self._digests.values():
            digest.update(data)

    def hexdigests(self) -> dict[str, str]:
        return {name: digest.hexdigest() for name, digest in self._digests.items()}


def constructor_of(algorithm: str) -> _Constructor:
    """What makes the digest object of an algorithm, given the first bytes.

    Shorter digests of blake2b, ``blake2b-BITS``, are for lists that have them.

    Raises:
        BadSetting: It is not known.
        MissingExtra: Its package is not installed.
    """
    name, _, bits = algorithm.partition("-")
    if name == "blake2b" and bits.isdecimal():
        return partial(hashlib.blake2b, digest_size=int(bits) // 8)
    if algorithm not in ALGORITHMS:
        raise BadSetting("algorithm", algorithm, f"one of {', '.join(ALGORITHMS)}")
    constructor: _Constructor
    extra = EXTRAS.get(algorithm)
    if extra is None:
        constructor = getattr(hashlib, algorithm)
        return constructor
    try:
        constructor = getattr(__import__(extra), algorithm)
    except ImportError as error:
        raise MissingExtra(f"the algorithm {algorithm}", extra) from error
    return constructor
