"""The task ``checksum`` and the registry."""

from __future__ import annotations

import hashlib
import os
import pickle
from pathlib import Path

import blake3
import pytest
import xxhash

from fsworkers import graceful
from fsworkers.errors import BadOption, BadSetting, MissingExtra, TaskNotFound
from fsworkers.tasks.callables import load_callable
from fsworkers.tasks.checksum import ALGORITHMS, EXTRAS, Algorithm, Checksum
from fsworkers.tasks.reading import CHUNK_BYTES
from fsworkers.tasks.registry import BUILT_IN, make_task


def digest(algorithm: str, data: bytes) -> str:
    """By the library that has it."""
    if algorithm == "blake3":
        return blake3.blake3(data).hexdigest()
    if algorithm.startswith("xxh3"):
        made: str = getattr(xxhash, algorithm)(data).hexdigest()
        return made
    return hashlib.new(algorithm, data).hexdigest()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_digest_is_the_library_s(tmp_path: Path, algorithm: Algorithm, size: int) -> None:
    """Each algorithm, below, at and above the chunk size."""
    data = os.urandom(size)
    file = tmp_path / "file"
    file.write_bytes(data)
    expected = digest(algorithm, data)
    assert Checksum(algorithm)(str(file)) == (expected, size, file.stat().st_mtime_ns)


@pytest.mark.parametrize("size", [0, 3 * CHUNK_BYTES + 1])
def test_several_in_one_read(tmp_path: Path, size: int) -> None:
    """A mapping by algorithm in the order asked for, which the columns say too."""
    data = os.urandom(size)
    file = tmp_path / "file"
    file.write_bytes(data)
    task = make_task("checksum", {"algorithm": "md5, sha256,xxh3_64,md5"})
    assert isinstance(task, Checksum)
    value, read, _ = task(str(file))
    assert read == size
    assert [*value.items()] == [(one, digest(one, data)) for one in ("md5", "sha256", "xxh3_64")]
    assert [one.name for one in task.columns] == [*value]


def test_checksum_travels() -> None:
    """It is sent to the workers by its algorithms' names."""
    assert pickle.loads(pickle.dumps(Checksum("md5"))).algorithm == "md5"
    assert pickle.loads(pickle.dumps(Checksum(["md5", "sha1"]))).algorithm == "md5,sha1"


def test_failed_file_gives_everything_back(tmp_path: Path) -> None:
    """A file that can't be opened, or is a directory, leaves no permit lent."""
    lent = graceful.statistics().lent
    with pytest.raises(FileNotFoundError):
        Checksum()(str(tmp_path / "missing"))
    with pytest.raises(IsADirectoryError):
        Checksum()(str(tmp_path))
    assert graceful.statistics().lent == lent


def test_missing_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package, the error names the extra."""
    for algorithm, extra in EXTRAS.items():
        monkeypatch.setitem(__import__("sys").modules, extra, None)
        with pytest.raises(MissingExtra, match=rf"pip install 'fsworkers\[{extra}\]'"):
            Checksum(["md5", algorithm])  # type: ignore[list-item]


def test_registry_names_what_there_is() -> None:
    """Unknown tasks, options and values are refused with those that are known."""
    assert "checksum" in BUILT_IN
    assert isinstance(make_task("checksum", {"algorithm": "md5"}), Checksum)
    with pytest.raises(TaskNotFound, match="did you mean checksum"):
        make_task("chksum", {})
    with pytest.raises(BadOption, match="no option 'speed'; it has algorithm"):
        make_task("checksum", {"speed": "high"})
    for wrong in ("", "sha256,md6"):
        with pytest.raises((BadOption, BadSetting), match="algorithm"):
            make_task("checksum", {"algorithm": wrong})


def test_callables_are_found_by_name() -> None:
    """Functions, methods and partial arguments; a broken name says what is wrong."""
    assert load_callable("os.path:basename", {})("a/b") == "b"
    assert load_callable("pathlib:Path.exists", {})(Path("/")) is True  # type: ignore[arg-type]
    with pytest.raises(TaskNotFound, match="is not a function"):
        load_callable("os:sep", {})
