"""Stores are walked as directories are: the local file system by both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fsworkers import storage
from fsworkers.errors import BadOption
from fsworkers.model import Entry
from fsworkers.scan.options import ScanOptions
from fsworkers.scan.tree import scan

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Folders of files, some hidden and some empty, and a link."""
    for number, name in enumerate((
        "a.txt", "B.JPG", ".hidden", "x/a.txt", "x/y/c d.txt", "x/y/#e?.jpg", ".git/f", "x/.g/h",
    )):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"1" * number)
    return tmp_path


def files(found: Iterable[list[str] | Entry]) -> list[str]:
    """What is to be processed."""
    return sorted(path for one in found if isinstance(one, list) for path in one)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"globs": ("*.txt",)},
        {"globs": ("x/**/*.jpg",)},
        {"excludes": ("y/", "a.*")},
        {"extensions": ("jpg",)},
        {"regexes": ("^x/.*[de]",)},
        {"skip_hidden": True},
        {"max_depth": 1},
        {"min_depth": 2, "max_depth": 2},
        {"max_depth": 0},
        {"sizes": ("+2b", "-4b")},
        {"kinds": ("empty",)},
        {"changed_within_s": 3600.0},
        {"changed_before": 1.0},
        {"limit": 3},
        {"sample": "50%"},
    ],
)
def test_filters_are_those_of_local_files(tree: Path, options: dict[str, Any]) -> None:
    """The same files come, by their URLs."""
    local = files(scan([str(tree)], ScanOptions(**options)))
    remote = files(scan([f"file://{tree}"], ScanOptions(**options)))
    if "limit" in options or "sample" in options:  # which ones depends on their names
        assert set(remote) <= set(files(scan([f"file://{tree}"], ScanOptions())))
        assert "sample" in options or len(remote) == 3
        return
    assert remote == [f"file://{path}" for path in local]


def test_each_file_comes_once(tree: Path) -> None:
    """PATHs that repeat or overlap make no difference; one may be a file."""
    root = f"file://{tree}"
    found = files(scan([root, f"{root}/", f"{root}/x", f"{root}/a.txt"]))
    assert found == files(scan([root]))
    assert len(found) == 8


def test_links_and_outputs_are_skipped(tree: Path) -> None:
    """With the reason, as what is unlike a file is."""
    (tree / "link").symlink_to("a.txt")
    found = scan([f"file://{tree}"], own=[f"file://{tree}/B.JPG"])
    reasons = {one.path.rpartition("/")[2]: one.reason for one in found if isinstance(one, Entry)}
    assert reasons == {
        "link": "symbolic link, which is not followed behind a URL",
        "B.JPG": "written by this run",
    }


def test_a_name_like_a_chain_fails(tree: Path) -> None:
    """To fsspec it means something else."""
    (tree / "a::b").touch()
    (entry,) = (one for one in scan([f"file://{tree}"]) if isinstance(one, Entry))
    assert (entry.status, entry.path[-4:]) == ("failed", "a::b")


def test_a_folder_that_can_not_be_listed_fails(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are listed."""
    from fsspec.implementations.local import LocalFileSystem

    ls = LocalFileSystem.ls

    def refuses(self: Any, path: str, **kwargs: Any) -> Any:
        if path.endswith("/x"):
            raise PermissionError(13, "Permission denied", path)
        return ls(self, path, **kwargs)

    monkeypatch.setattr(LocalFileSystem, "ls", refuses)
    found = list(scan([f"file://{tree}"]))
    (entry,) = (one for one in found if isinstance(one, Entry))
    assert (entry.status, entry.path) == ("failed", f"file://{tree}/x")
    assert len(files(found)) == 4


def test_what_would_lead_out_of_a_mirror_fails(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of objects may hold ``..`` for a file or a folder: neither is taken or entered."""
    from fsspec.implementations.local import LocalFileSystem

    ls = LocalFileSystem.ls

    def adds(self: Any, path: str, **kwargs: Any) -> Any:
        odd = [{"name": f"{path}/..", "type": kind, "size": 0} for kind in ("file", "directory")]
        return [*ls(self, path, **kwargs), *odd]

    monkeypatch.setattr(LocalFileSystem, "ls", adds)
    found = list(scan([f"file://{tree}/x/y"]))
    reasons = [one.reason for one in found if isinstance(one, Entry)]
    assert reasons == ["a store's own '..', which means another place"] * 2
    assert len(files(found)) == 2


def test_keys_that_are_not_listed_fail(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is behind ``//`` in a store of objects; not the empty marker of a folder."""
    from fsspec.implementations.local import LocalFileSystem

    real = LocalFileSystem.ls

    def ls(files: Any, path: str, **how: Any) -> Any:
        more = [{"name": f"{path}/", "size": 0, "type": "file"}]
        if path.endswith("/x"):
            more = [{"name": f"{path}/", "size": 0, "type": "directory"}]
        if path.endswith("/y"):
            more = [{"name": f"{path}/", "size": 3, "type": "file"}]
        return [*real(files, path, **how), *more]

    monkeypatch.setattr(LocalFileSystem, "ls", ls)
    monkeypatch.setattr("fsworkers.scan.remote._OF_OBJECTS", {"file"})
    found = [*scan([f"file://{tree}"], ScanOptions())]
    failed = {one.path for one in found if isinstance(one, Entry) and one.status == "failed"}
    assert failed == {f"file://{tree}/x//", f"file://{tree}/x/y//"}
    assert len(files(found)) == 8


def test_local_options_are_refused() -> None:
    """At once, by the name of the option."""
    with pytest.raises(BadOption, match="--owner is about local files"):
        scan(["memory://x"], ScanOptions(owner="root"))


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ({"ETag": '"a"', "LastModified": 5.25}, {"ETag": "a", "LastModified": 5.0}, True),
        ({"ETag": "a", "LastModified": 5.0}, {"ETag": "b", "LastModified": 5.0}, False),
        ({"ETag": "a"}, {"ETag": "b"}, False),
        ({"mtime": 5.25}, {"mtime": 5.0}, False),
        ({"Last-Modified": "Fri, 01 Jan 2021 00:00:00 GMT"}, {"mtime": 1609459200}, True),
    ],
)
def test_identity(one: dict[str, Any], other: dict[str, Any], is_same: bool) -> None:
    """Tags decide where there are some; then times, to the microsecond."""
    first, second = (storage.stamp_of({"size": 1} | info) for info in (one, other))
    assert None not in first
    assert (first == second) is is_same


def test_what_tells_nothing_is_never_known() -> None:
    """Neither tag nor time: such a file is done again each time."""
    assert storage.stamp_of({"size": 1}) == (1, None)
