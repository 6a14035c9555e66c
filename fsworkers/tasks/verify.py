"""The task ``verify``: whether files still are what a list of checksums says.

The master reads the list and finds out which of its files are gone; workers get it in a compact
form, and say of each file by itself what became of it. What was missing is known in the end.
"""

from __future__ import annotations

import os
from base64 import b64decode
from collections import Counter
from contextlib import closing
from functools import cached_property, lru_cache
from itertools import takewhile
from logging import getLogger
from operator import eq
from pathlib import Path  # noqa: TC003  (options are read by their annotations)
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, cast

from fsworkers.errors import BadOption, Skip
from fsworkers.names import printable
from fsworkers.tasks.checksum import Algorithm, Checksum
from fsworkers.tasks.lists import KnownFiles, read_list
from fsworkers.tasks.task import Column

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence

    from fsworkers.tasks.task import Preparation

LOGGER = getLogger("fsworkers")

LOOKED_AT = 1000
"""So many names of a list show what they are relative to, or where a file comes from."""

MOST_FOLDERS = 1024
"""So many real places are kept, of those that were looked up last."""

MOST_NAMED = 10


class Verify:
    """Compare each file with a list of checksums: is it ok, modified, moved, or new?

    Args:
        list: The list: of sha256sum and its kin, hashdeep, BagIt, or an output of ``checksum``.
        base: What its names are relative to; found out otherwise.
        algorithm: What its digests are, where it does not say so.
    """

    columns: ClassVar = (
        Column("verdict", meaning="ok, modified, moved, new or missing"),
        Column("moved_from", meaning="the name in the list that is not there any more"),
    )
    example: ClassVar = "fsworkers process photos -t verify --option list=photos.sha256"
    is_measuring = True
    is_graceful = True

    def __init__(
        self,
        list: Annotated[Path, "of sha256sum and its kin, hashdeep, BagIt, or checksum"],  # noqa: A002
        base: Annotated[Path | None, "folder that its names are relative to"] = None,
        algorithm: Annotated[Algorithm | None, "of its digests, where it does not say so"] = None,
    ) -> None:
        self._list = os.fspath(list)
        self._base = None if base is None else os.path.abspath(base)
        self._algorithm = algorithm or ""

    def __call__(self, path: str) -> Any:
        """Not called: what ``prepare`` returns is.

        Raises:
            BadOption: Always.
        """
        raise BadOption(f"verify has not read its list, so it can't look at {printable(path)}")

    def prepare(self, preparation: Preparation) -> Verifying:
        """Read the list, and look which of its files are gone.

        Raises:
            BadOption: It can't be read.
            MissingExtra: Its algorithm is not installed.
        """
        known = read_list(self._list, self._algorithm)
        cwd = os.getcwd()
        own = os.path.abspath(self._list)
        names = known.names.split("\0")
        folder = os.path.dirname(own)
        places = [folder] if known.is_bag else [cwd, folder, *preparation.roots]
        if self._base is not None:
            places = [self._base]
        places = [*dict.fromkeys(map(os.path.abspath, places))]
        base = _base_of(names, places)
        gone = [at for at, name in enumerate(names) if not _is_there(base, name)]
        if len(gone) == len(names):
            LOGGER.warning(
                "--option list=%s: no file that it names is there; %s was looked for in %s. "
                "--option base=DIR says what its names are relative to",
                printable(self._list), printable(names[0]), ", ".join(map(printable, places)),
            )  # fmt: skip
        return Verifying(known, base, cwd, own, gone)


def _is_there(base: str, name: str) -> bool:
    return os.path.lexists(os.path.join(base, name))


def _base_of(names: Sequence[str], places: Sequence[str]) -> str:
    """Where most of a list's files are, the first of several such places."""
    some = names[:: len(names) // LOOKED_AT + 1]
    counts = [sum(_is_there(place, name) for name in some) for place in places]
    return places[counts.index(max(counts))]


class Verifying:
    """Verifies files, in a worker or in the master.

    Args:
        known: The list.
        base: What its names are relative to.
        cwd: What paths are relative to.
        own: The list itself, which is no file to verify.
        gone: Those of its files that are not there, by number.
    """

    columns = Verify.columns
    is_measuring = True
    is_graceful = True

    def __init__(
        self, known: KnownFiles, base: str, cwd: str, own: str, gone: Sequence[int]
    ) -> None:
        self.known = known
        self.base = base
        self._cwd = cwd
        self._own = own
        self._gone = gone
        self._checksum = Checksum(cast("Algorithm", known.algorithm))

    def __call__(self, path: str) -> tuple[dict[str, Any], int, int]:
        """Verify one file.

        Raises:
            OSError: It can't be read.
            Skip: It is the list.
        """
        (result,) = self.each_of([path])
        return result

    def each_of(self, paths: Sequence[str]) -> Generator[tuple[dict[str, Any], int, int]]:
        """Verify one file after another, as a task does."""
        with closing(self._checksum.each_of(paths)) as read:
            for path, (digest, size, mtime_ns) in zip(paths, read, strict=True):
                verdict, moved_from = self._verdict(path, bytes.fromhex(digest))
                yield {"verdict": verdict, "moved_from": moved_from}, size, mtime_ns

    def reducer(self) -> Verdicts:
        """Counts them, and knows what is missing."""
        return Verdicts(self)

    def __reduce__(self) -> tuple[type[Verifying], tuple[Any, ...]]:
        """Travel without what is made of the list."""
        return Verifying, (self.known, self.base, self._cwd, self._own, self._gone)

    @cached_property
    def names(self) -> Sequence[str]:
        """The names in the list."""
        return self.known.names.split("\0")

    @cached_property
    def _numbers(self) -> Mapping[str, int]:
        return {_absolute(self.base, name): at for at, name in enumerate(self.names)}

    @cached_property
    def _numbers_behind_links(self) -> Mapping[str, int]:
        """Of files that are named through symbolic links to directories: by their real places."""
        real = ((self._real(place), place, at) for place, at in self._numbers.items())
        return {there: at for there, place, at in real if there != place}

    @cached_property
    def _real_folder(self) -> Callable[[str], str]:
        return lru_cache(MOST_FOLDERS)(os.path.realpath)

    def _real(self, place: str) -> str:
        folder, _, name = place.rpartition("/")
        return f"{self._real_folder(folder or '/').rstrip('/')}/{name}"

    @cached_property
    def _gone_by_digest(self) -> Mapping[bytes, Sequence[str]]:
        names: dict[bytes, list[str]] = {}
        for at in self._gone:
            names.setdefault(self.known.digest(at), []).append(self.names[at])
        return names

    def _verdict(self, path: str, digest: bytes) -> tuple[str, str | bytes | None]:
        place = _absolute(self._cwd, path)
        at = self._numbers.get(place)
        if at is None:  # perhaps one of the two names leads through a symbolic link
            place = self._real(place)
            at = self._numbers.get(place, self._numbers_behind_links.get(place))
        if at is not None:
            return "ok" if self.known.digest(at) == digest else "modified", None
        if place == self._real(self._own):
            raise Skip("it is the list that the others are compared with")
        origins = self._gone_by_digest.get(digest)
        if origins is None:
            return "new", None
        origin = max(origins[:LOOKED_AT], key=lambda name: _same_end(name, place))
        try:
            origin.encode()
        except UnicodeEncodeError:
            return "moved", os.fsencode(origin)
        return "moved", origin


def _same_end(one: str, other: str) -> int:
    """How many characters two names have in common at their ends: a folder may have moved."""
    return sum(takewhile(bool, map(eq, reversed(one), reversed(other))))


def _absolute(base: str, name: str) -> str:
    return os.path.normpath(os.path.join(base, name))


class Verdicts:
    """How many files are what, and which ones are missing.

    Args:
        verifying: What has the list; ``None`` in what a worker has counted.
    """

    missing_value: ClassVar = {"verdict": "missing", "moved_from": None}

    def __init__(self, verifying: Verifying | None) -> None:
        self._verifying = verifying
        self._counts = dict.fromkeys(("ok", "modified", "moved", "new"), 0)
        self._origins: list[str] = []
        self._named: list[str] = []

    def __getstate__(self) -> dict[str, Any]:
        """Travel without the list."""
        return {**vars(self), "_verifying": None}

    def add(self, path: str, value: Any) -> None:
        """One more file."""
        verdict, origin = value["verdict"], value["moved_from"]
        self._counts[verdict] += 1
        if verdict == "ok":
            return
        if isinstance(origin, dict):  # as a journal has it
            origin = b64decode(origin["base64"])
        if origin is not None:
            self._origins.append(os.fsdecode(origin))
        if len(self._named) < MOST_NAMED:
            whence = "" if origin is None else f" (from {printable(origin)})"
            self._named.append(f"{verdict}: {printable(path)}{whence}")

    def merge(self, other: Verdicts) -> None:
        """Many more."""
        for verdict, count in other._counts.items():
            self._counts[verdict] += count
        self._origins += other._origins
        self._named += other._named[: MOST_NAMED - len(self._named)]

    @cached_property
    def _gone(self) -> Sequence[int]:
        """Numbers of the files that are not there, now that all others have been looked at."""
        assert self._verifying is not None, "only the master's is asked"
        base, names = self._verifying.base, self._verifying.names
        return [at for at, name in enumerate(names) if not _is_there(base, name)]

    def missing(self) -> list[str]:
        """Those that are not there and have not been found elsewhere either.

        Of several with the same content, as many are accounted for as were found.
        """
        assert self._verifying is not None, "only the master's is asked"
        names, digest = self._verifying.names, self._verifying.known.digest
        origins = Counter(self._origins)
        left: Counter[bytes] = Counter()
        others: list[int] = []
        for at in self._gone:
            found = origins.get(names[at])
            if found is None:
                others.append(at)
            else:
                left[digest(at)] += found - 1
        missing: list[str] = []
        for at in others:
            if left[digest(at)] > 0:
                left[digest(at)] -= 1
            else:
                missing.append(names[at])
        return missing

    @property
    def _unchecked(self) -> int:
        """How many files of the list are there, and have not been looked at."""
        assert self._verifying is not None, "only the master's is asked"
        looked_at = self._counts["ok"] + self._counts["modified"]
        return max(0, len(self._verifying.names) - looked_at - len(self._gone))

    def result(self) -> Mapping[str, int]:
        """The counts."""
        return {**self._counts, "missing": len(self.missing()), "unchecked": self._unchecked}

    @property
    def is_well(self) -> bool:
        """Whether everything in the list, and nothing else, is there as it was."""
        return not any(count for name, count in self.result().items() if name != "ok")

    def lines(self) -> Iterable[str]:
        """The first files that differ, and the counts."""
        counts = self.result()
        yield from self._named
        told = sum(self._counts.values()) - self._counts["ok"]
        if told > len(self._named):
            yield f"… and {told - len(self._named):,} more that differ"
        if count := counts["unchecked"]:
            which = "1 file of the list is" if count == 1 else f"{count:,} files of the list are"
            yield f"{which} there but not looked at: not below the PATHs, left out, or failed"
        verifying = self._verifying
        is_nothing_so = not (counts["ok"] or counts["moved"])
        if is_nothing_so and verifying is not None and len(self._gone) < len(verifying.names):
            known = verifying.known
            yield (
                f"nothing is as {known.path} says, read as {known.algorithm} of files in "
                f"{verifying.base}; --option algorithm=… and base=DIR say otherwise"
            )
        yield ", ".join(f"{count:,} {name}" for name, count in counts.items())
