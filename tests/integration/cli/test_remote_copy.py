"""The task ``copy`` to URLs, from them, and from one to another, over servers on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from time import time
from typing import Any

import pytest

from fsworkers import upload
from tests.integration.cli.test_process import FSWORKERS, fsworkers, rows
from tests.integration.cli.test_remote import CREDENTIALS, needs_s3, s3, serving

ODD = [
    "a b", "ünïcode ☃", "100%", "a%20b", "x#y", "q?r=1", "q?", "-dash", ".hidden", "*[1]", "s;c",
    "tab\t",
]  # fmt: skip


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """40 files in folders, of an hour ago, some of them with odd names."""
    root = tmp_path / "tree"
    for number in range(40):
        folder = root / str(number % 3) / "sub folder"
        folder.mkdir(parents=True, exist_ok=True)
        name = ODD[number] if number < len(ODD) else f"no {number}"
        (folder / name).write_bytes(b"%d\n" % number * number)
    make_old(root)
    return root


def make_old(root: Path) -> None:
    """As if all files had been there for an hour: stores know times to the second."""
    for path in root.rglob("*"):
        os.utime(path, (time() - 3600, time() - 3600))


def contents(root: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {
        str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


def copy(
    cwd: Path, path: str, to: str, *arguments: str, code: int = 0, **others: Any
) -> tuple[Counter[Any], list[dict[str, Any]]]:
    """Copy; how often each thing was done or not, and what was told."""
    command = ("process", path, "-t", "copy", "--option", f"to={to}", "-q", *arguments)
    done = fsworkers(*command, cwd=cwd, **others)
    assert done.returncode == code, (done.stderr, done.stdout)
    lines: list[dict[str, Any]] = rows(done.stdout)
    return Counter(one["value"]["how"] if one["value"] else one["error"] for one in lines), lines


def test_up_between_and_down(tree: Path, tmp_path: Path) -> None:
    """All is there as it was, and nothing is done twice; times are those of the store."""
    url = f"file://{tmp_path}"
    for step, source, to, newer in (
        ("upload", "tree", f"{url}/up/x", "the same size, and not older"),
        ("copy", f"{url}/up/x", f"{url}/between/", "the same size, and not older"),
        ("download", f"{url}/between/", "down", "the same size and time"),
    ):
        assert copy(tmp_path, source, to)[0] == {step: 40}
        assert copy(tmp_path, source, to)[0] == {f"there already: {newer}": 40}
    assert contents(tmp_path / "down") == contents(tree)
    one = Path("0", "sub folder", "a b")
    times = [(tmp_path / name / one).stat().st_mtime for name in ("down", "between", "tree")]
    assert times[0] == pytest.approx(times[1], abs=1e-5)
    assert times[0] > times[2] + 3000


def test_what_is_there_is_told_by_time_or_content(tmp_path: Path) -> None:
    """By size and time, or content if wanted, or not looked at."""
    source, there = tmp_path / "in" / "a", tmp_path / "up" / "a"
    source.parent.mkdir()
    source.write_bytes(b"new")
    there.parent.mkdir()
    url = f"file://{tmp_path}/up"
    for content, age_s, how in ((b"old", -60, "upload"), (b"older", 60, "upload")):
        there.write_bytes(content)
        os.utime(there, (time() + age_s, time() + age_s))
        assert copy(tmp_path, "in", url)[0] == {how: 1}
    there.write_bytes(b"old")
    os.utime(there, (time() + 60, time() + 60))
    assert copy(tmp_path, "in", url)[0] == {"there already: the same size, and not older": 1}
    for arguments in (["update=content"], ["update=always", "--option", "verify=true"]):
        there.write_bytes(b"old")
        assert copy(tmp_path, "in", url, "--option", *arguments)[0] == {"upload": 1}
        assert there.read_bytes() == b"new"
    same = {"there already: the same content": 1}
    assert copy(tmp_path, "in", url, "--option", "update=content")[0] == same
    down = tmp_path / "down" / "a"
    assert copy(tmp_path, url, "down", "--option", "verify=true")[0] == {"download": 1}
    os.utime(down, (0, 0))
    assert copy(tmp_path, url, "down", "--option", "update=content")[0] == same
    assert copy(tmp_path, url, "down")[0] == {"there already: the same size and time": 1}
    down.write_bytes(b"bad")
    assert copy(tmp_path, url, "down")[0] == {"download": 1}
    assert down.read_bytes() == b"new"


def test_what_can_not_be_copied_fails_with_the_reason(tmp_path: Path) -> None:
    """The rest is copied, and nothing is left of what was not."""
    (tmp_path / "in").mkdir()
    for name in (b"good", b"\xff", b"a::b", b"folder"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/in/" + name)).write_bytes(b"x")
    (tmp_path / "up" / "folder" / "within").mkdir(parents=True)
    (tmp_path / "in" / ".fsworkers-00000000-a").touch()
    counts, lines = copy(tmp_path, "in", f"file://{tmp_path}/up", code=1)
    assert counts.pop("upload") == 1
    assert counts.pop("an unfinished output") == 1
    failed = "".join(f"{one['error']}\n" for one in lines if one["status"] == "failed")
    assert failed.count("\n") == 3
    for words in ("Is a directory", "not UTF-8", "its name has ::"):
        assert words in failed
    assert sorted(os.listdir(tmp_path / "up")) == ["folder", "good"]


def test_killed_and_resumed(tmp_path: Path) -> None:
    """All of it is there, and no temporary name."""
    root = tmp_path / "tree"
    for number in range(3000):
        folder = root / str(number % 9)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / str(number)).write_bytes(b"%d" % number)
    up = tmp_path / "up"
    state: dict[str, Any] = {"XDG_STATE_HOME": str(tmp_path / "state")}
    to = f"to=file://{up}"
    command = [*FSWORKERS, "process", "tree", "-t", "copy", "--option", to, "-o", "o.jsonl"]
    with subprocess.Popen(command, cwd=tmp_path, env=os.environ | state) as run:
        while not (up / "1").is_dir():
            assert run.poll() is None
        run.send_signal(signal.SIGKILL)
    done = fsworkers("resume", cwd=tmp_path, **state)
    assert done.returncode == 0, done.stderr
    assert contents(up) == contents(root)
    assert (tmp_path / "o.jsonl").read_bytes().count(b"\n") == 3000


def test_down_from_a_busy_server(tree: Path, tmp_path: Path) -> None:
    """A file that never comes has failed, the others are tried again."""
    files = {f"no-{number}": path for number, path in enumerate(contents(tree).values())}
    (tmp_path / "served").mkdir()
    for name, content in files.items():
        (tmp_path / "served" / name).write_bytes(content)
    (tmp_path / "served" / "broken").touch()
    with serving("http", tmp_path / "served", every=5) as port:
        root = f"http://127.0.0.1:{port}/"
        counts, _ = copy(tmp_path, root, "down", "--retries", "9", "--retry-pause", "0.01", code=1)
        assert counts.pop("download") == 40
        (reason,) = counts
        assert "503" in reason
    assert contents(tmp_path / "down") == files


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a", "to=nosuch://x"], "nosuch://x: Protocol not known: nosuch"),
        (["a", "to=sftp://me:secret@host/x"], "sftp://me:***@host/x: a password does not belong"),
        (["a", "to=http://127.0.0.1:1/x"], "HTTP's URLs can't be written to"),
        (["a", "to=ftp://127.0.0.1:1/x"], "ftp://127.0.0.1:1/x: [Errno 111]"),
        (["a", "to=file:///tmp", "--to", "{rel}"], "--to"),
        (["{here}/a", "to=file://{here}/a"], "a place that is not within"),
        (["file://{here}/a", "to=file://{here}/a/b"], "a place that is not within"),
        (["file://{here}/a", "to=a/b"], "a place that is not within"),
        (["file://{here}/a", "to=."], "a place that is not within"),
        (["file://{here}/a", "file://{here}/b", "to=c"], "each file an output of its own"),
    ],
)
def test_what_is_refused(tmp_path: Path, arguments: list[str], words: str) -> None:
    """In one line, before anything is begun."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "same").touch()
    given = [one.replace("{here}", str(tmp_path)) for one in arguments]
    at = next(place for place, one in enumerate(given) if one.startswith("to="))
    given.insert(at, "--option")
    state = str(tmp_path / "state")
    done = fsworkers("process", *given, "-t", "copy", cwd=tmp_path, XDG_STATE_HOME=state)
    lines = done.stderr.decode().splitlines()
    assert (done.returncode, done.stdout, len(lines)) == (2, b"", 1), done.stderr
    assert words in lines[0]
    assert "secret" not in lines[0]
    assert not (tmp_path / "state").exists()


def round_trip(tree: Path, tmp_path: Path, to: str, **environment: Any) -> None:
    """Up and down, where descriptors are few, and again where nothing is to do."""
    count = len(contents(tree))
    how: dict[str, Any] = {"limit": 64, **environment}
    arguments = ("-j", "2", "--retries", "9", "--retry-pause", "0.01")
    assert copy(tmp_path, "tree", to, *arguments, **how)[0] == {"upload": count}
    assert copy(tmp_path, to, "down", *arguments, **how)[0] == {"download": count}
    assert contents(tmp_path / "down") == contents(tree)
    same = {"there already: the same size, and not older": count}
    assert copy(tmp_path, "tree", to, *arguments, **how)[0] == same
    same = {"there already: the same size and time": count}
    assert copy(tmp_path, to, "down", *arguments, **how)[0] == same


@needs_s3
@pytest.mark.timeout(200)
@pytest.mark.parametrize("count", [40, pytest.param(500, marks=pytest.mark.slow)])
def test_a_bucket(tree: Path, tmp_path: Path, count: int) -> None:
    """One that is busy now and then; from one to another, the store itself copies."""
    for number in range(40, count):
        (tree / str(number % 3) / str(number)).write_bytes(b"%d" % number)
    (tree / "large").write_bytes(os.urandom(40_000_000))
    make_old(tree)
    with serving("s3", tree, every=15) as port:
        environment: dict[str, Any] = {
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        }
        s3(environment, "s3.mkdir('photos'); s3.mkdir('others')")
        for none in ("s3://", "s3://nosuch/x"):
            command = ("process", "tree", "-t", "copy", "--option", f"to={none}")
            done = fsworkers(*command, cwd=tmp_path, **environment)
            assert f"{none}: there is no such bucket".encode() in done.stderr
            assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)
        round_trip(tree, tmp_path, "s3://photos/up", **environment)
        part = "s3://photos/up/0/sub folder"
        counts, _ = copy(tmp_path, part, "s3://others", "--retries", "9", **environment)
        assert counts == {"copy": 14}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Where a server keeps its files."""
    (tmp_path / "store").mkdir()
    return tmp_path / "store"


needs_sftp = pytest.mark.skipif(
    not (find_spec("paramiko") and find_spec("asyncssh")), reason="needs fsworkers[remote-test]"
)


@needs_sftp
@pytest.mark.timeout(200)
def test_sftp(tree: Path, tmp_path: Path, store: Path) -> None:
    """Each worker has a connection of its own."""
    with serving("sftp", store, every=15) as port:
        url = f"sftp://me@127.0.0.1:{port}/a/b"
        round_trip(tree, tmp_path, url, FSSPEC_SFTP_PASSWORD="very-secret")
    assert contents(store / "a" / "b") == contents(tree)


@needs_sftp
def test_sftp_connects_anew(tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails with a connection does not keep it for the next attempt."""
    import fsspec
    import paramiko

    monkeypatch.setitem(fsspec.config.conf, "sftp", {"password": "very-secret"})
    (tmp_path / "a").write_bytes(b"a")
    with serving("sftp", store) as port:
        upload.put(str(tmp_path / "a"), f"sftp://me@127.0.0.1:{port}/a")
    for _ in range(2):
        with pytest.raises(OSError, match=r"[Cc]onnect|closed|Server"):
            upload.put(str(tmp_path / "a"), f"sftp://me@127.0.0.1:{port}/b")
    with serving("sftp", store, port=port):
        upload.put(str(tmp_path / "a"), f"sftp://me@127.0.0.1:{port}/b")
    fsspec.get_filesystem_class("sftp").clear_instance_cache()
    for thread in threading.enumerate():
        if isinstance(thread, paramiko.Transport):
            thread.join(10)  # each closes its socket as the last thing it does
    assert sorted(os.listdir(store)) == ["a", "b"]


@pytest.mark.skipif(
    not (find_spec("webdav4") and find_spec("wsgidav")), reason="needs fsworkers[remote-test]"
)
@pytest.mark.timeout(200)
def test_webdav(tree: Path, tmp_path: Path, store: Path) -> None:
    """What is quoted in URLs is quoted once."""
    with serving("webdav", store, every=15) as port:
        base = f"http://127.0.0.1:{port}"
        round_trip(tree, tmp_path, "webdav:///a/b", FSSPEC_WEBDAV_BASE_URL=base)
    assert contents(store / "a" / "b") == contents(tree)
