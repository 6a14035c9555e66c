"""The task ``checksum`` and the registry."""

from __future__ import annotations

import hashlib
import os
import pickle
from pathlib import Path

import blake3
import pytest

from fsworkers import graceful
from fsworkers.errors import BadOption, MissingExtra, TaskNotFound
from fsworkers.tasks.callables import load_callable
from fsworkers.tasks.checksum import ALGORITHMS, CHUNK_BYTES, Algorithm, Checksum
from fsworkers.tasks.registry import BUILT_IN, make_task


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_digest_is_the_library_s(tmp_path: Path, algorithm: Algorithm, size: int) -> None:
    """Each algorithm, below, at and above the chunk size."""
    data = os.urandom(size)
    file = tmp_path / "file"
    file.write_bytes(data)
    expected = (
        blake3.blake3(data).hexdigest()
        if algorithm == "blake3"
        else hashlib.new(algorithm, data).hexdigest()
    )
    assert Checksum(algorithm)(str(file)) == (expected, size, file.stat().st_mtime_ns)


def test_checksum_travels() -> None:
    """It is sent to the workers by its algorithm's name."""
    assert pickle.loads(pickle.dumps(Checksum("md5"))).algorithm == "md5"


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
    monkeypatch.setitem(__import__("sys").modules, "blake3", None)
    with pytest.raises(MissingExtra, match=r"pip install 'fsworkers\[blake3\]'"):
        Checksum("blake3")


def test_registry_names_what_there_is() -> None:
    """Unknown tasks, options and values are refused with those that are known."""
    assert "checksum" in BUILT_IN
    assert isinstance(make_task("checksum", {"algorithm": "md5"}), Checksum)
    with pytest.raises(TaskNotFound, match="did you mean checksum"):
        make_task("chksum", {})
    with pytest.raises(BadOption, match="no option 'speed'; it has algorithm"):
        make_task("checksum", {"speed": "high"})


def test_callables_are_found_by_name() -> None:
    """Functions, methods and partial arguments; a broken name says what is wrong."""
    assert load_callable("os.path:basename", {})("a/b") == "b"
    assert load_callable("pathlib:Path.exists", {})(Path("/")) is True  # type: ignore[arg-type]
    with pytest.raises(TaskNotFound, match="is not a function"):
        load_callable("os:sep", {})
