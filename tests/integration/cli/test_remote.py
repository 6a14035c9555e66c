"""PATHs that are URLs, over servers on this machine."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fsworkers import Outcome, process_tree
from tests.integration.cli.test_process import fsworkers, rows

if TYPE_CHECKING:
    from collections.abc import Iterator

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "very-secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_MAX_ATTEMPTS": "1",
}

needs_s3 = pytest.mark.skipif(
    not (find_spec("moto") and find_spec("s3fs")), reason="needs fsworkers[remote-test]"
)


@contextmanager
def serving(
    kind: str, folder: Path, *, port: int = 0, every: int = 0, stop: int = 0
) -> Iterator[int]:
    """A server for the while; its port."""
    if not port:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
    command = [sys.executable, "-m", "tests.integration.cli.stores", kind]
    with subprocess.Popen(
        [*command, str(port), str(folder), str(every), str(stop)],
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == b"ready\n"
            yield port
        finally:
            server.kill()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """200 small files in folders."""
    root = tmp_path / "tree"
    for number in range(200):
        folder = root / str(number % 5)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"no {number}.txt").write_bytes(b"%d\n" % number * number)
    return root


def sums(tree: Path) -> dict[str, str]:
    """What the checksums are to be, by the path below the tree."""
    return {
        str(path.relative_to(tree)): sha256(path.read_bytes()).hexdigest()
        for path in tree.rglob("*")
        if path.is_file()
    }


def told(lines: list[dict[str, Any]], root: str) -> dict[str, Any]:
    """The values of what was done, likewise."""
    return {
        one["path"].removeprefix(f"{root}/").replace("%20", " "): one["value"]
        for one in lines
        if one["status"] == "done"
    }


def test_a_server_that_is_busy_now_and_then(tree: Path, tmp_path: Path) -> None:
    """With retries every file is done; one that never comes is failed, with the reason."""
    (tree / "broken").touch()
    expected = sums(tree)
    del expected["broken"]
    with serving("http", tree, every=5) as port:
        root = f"http://127.0.0.1:{port}"
        done = fsworkers(
            "process", f"{root}/", "--retries", "9", "--retry-pause", "0.01", cwd=tmp_path
        )
    lines = rows(done.stdout)
    assert done.returncode == 1
    assert told(lines, root) == expected
    (failed,) = (one for one in lines if one["status"] == "failed")
    assert str(failed["path"]).endswith("/broken")
    assert "503" in str(failed["error"])
    assert failed["attempts"] == 10


def test_a_server_that_stops(tree: Path, tmp_path: Path) -> None:
    """What could not be read has failed with the reason; the resumed run is whole."""
    with serving("http", tree, stop=80) as port:
        done = fsworkers("process", f"http://127.0.0.1:{port}/", "-o", "o.jsonl", cwd=tmp_path)
    assert done.returncode == 1
    lines = rows((tmp_path / "o.jsonl").read_bytes())
    done_before = [one for one in lines if one["status"] == "done"]
    assert 0 < len(done_before) < 200
    assert "Connect" in str(next(one["error"] for one in lines if one["status"] == "failed"))
    gone = fsworkers("resume", cwd=tmp_path)
    assert (gone.returncode, gone.stderr.count(b"\n")) == (2, 1)
    with serving("http", tree, port=port):
        again = fsworkers("resume", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    lines = rows((tmp_path / "o.jsonl").read_bytes())
    assert told(lines, f"http://127.0.0.1:{port}") == sums(tree)


FUNCTIONS = """
import os, signal
def plain(path):
    return [os.path.basename(path), open(path).read(), "://" in path]
async def coroutine(path):
    return plain(path)
def upper(path, output):
    open(output, "w").write(open(path).read().upper())
async def upper_later(path, output):
    upper(path, output)
def name(url):
    return url
def dies(path):
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Two files, and functions beside them."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a b.txt").write_text("first")
    (tmp_path / "in" / "c.txt").write_text("second")
    (tmp_path / "mine.py").write_text(FUNCTIONS)
    (tmp_path / "temporary").mkdir()
    return tmp_path


def run_on_url(small: Path, *arguments: str) -> list[Any]:
    """Run over them by URL; the values."""
    root = f"file://{small}/in"
    temporary = str(small / "temporary")
    done = fsworkers("process", root, "-q", "-k", *arguments, cwd=small, TMPDIR=temporary)
    assert done.returncode == 0, done.stderr
    assert os.listdir(temporary) == []
    lines = rows(done.stdout)
    assert [one["size"] for one in sorted(lines, key=lambda one: str(one["path"]))] == [5, 6]
    return sorted((one["value"] for one in lines), key=str)


@pytest.mark.parametrize("name", ["plain", "coroutine"])
def test_functions_get_a_local_copy(small: Path, name: str) -> None:
    """Under the file's own name; nothing of it is left. The last one of two options counts."""
    values = run_on_url(small, "--call", f"mine:{name}", "--urls", "--localize")
    assert values == [["a b.txt", "first", False], ["c.txt", "second", False]]


def test_functions_get_the_url_where_they_want_it(small: Path) -> None:
    """With --urls."""
    values = run_on_url(small, "--call", "mine:name", "--urls")
    assert values == [f"file://{small}/in/a b.txt", f"file://{small}/in/c.txt"]


def test_in_python(small: Path) -> None:
    """``process_tree`` takes URLs as the command line does."""
    root = f"file://{small}/in"
    for urls in (False, True):
        outcomes: list[Outcome] = []
        summary = process_tree(
            root, str.upper, engine="inline", urls=urls, on_outcome=outcomes.append
        )
        assert (summary.done, summary.bytes) == (2, 11)
        assert {one.path for one in outcomes} == {f"{root}/a b.txt", f"{root}/c.txt"}
        assert all(str(one.value).startswith("FILE://") == urls for one in outcomes)


@pytest.mark.parametrize("name", ["upper", "upper_later"])
def test_outputs_are_named_by_the_url(small: Path, name: str) -> None:
    """``{rel}`` is below the PATH as ever, and what is up to date is not made again."""
    command = ("process", f"file://{small}/in", "--call", f"mine:{name}", "--to", "out/{rel}")
    assert fsworkers(*command, cwd=small).returncode == 0
    assert (small / "out" / "a b.txt").read_text() == "FIRST"
    assert b"2 skipped" in fsworkers(*command, cwd=small).stderr


def test_commands_get_a_local_copy(small: Path) -> None:
    """For ``{}``, while ``{rel}`` is of the URL."""
    values = run_on_url(small, "-o", "-", "-x", "sh", "-c", 'echo "$1" $(cat "$0")', "{}", "{rel}")
    assert [one["stdout"] for one in values] == ["a b.txt first\n", "c.txt second\n"]


def test_what_a_dead_worker_left_is_removed(small: Path) -> None:
    """Its copy goes when the run ends."""
    temporary = str(small / "temporary")
    root = f"file://{small}/in"
    done = fsworkers("process", root, "--call", "mine:dies", cwd=small, TMPDIR=temporary)
    assert b"2 crashed" in done.stderr
    assert os.listdir(temporary) == []


def test_an_output_behind_a_url(small: Path) -> None:
    """It is put there when it is whole, and not read by the next run."""
    temporary = str(small / "temporary")
    root = f"file://{small}/in"
    for _ in range(2):
        done = fsworkers("process", root, "-o", f"{root}/sums.sha256", cwd=small, TMPDIR=temporary)
        assert done.returncode == 0, done.stderr
        assert (small / "in" / "sums.sha256").read_text().count("\n") == 2
    assert b"1 skipped" in done.stderr
    assert os.listdir(temporary) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sftp://me:secret@host/x"], "sftp://me:***@host/x: a password does not belong in a URL"),
        (["https://host/x?X-Amz-Signature=secret"], "can't hold what gives access"),
        (["mine.py", "-o", "s3://me:secret@host/x.csv"], "s3://me:***@host/x.csv: a password"),
        (["nosuch://x"], "nosuch://x: Protocol not known: nosuch"),
        (["file:///nosuch"], "no such file or directory: 'file:///nosuch'"),
        (["http://127.0.0.1:1/x"], "http://127.0.0.1:1/x: Cannot connect to host"),
        (["file:///tmp", "."], "PATHs are URLs, or all of them local"),
        (["file:///tmp", "-L"], "--follow is about local files"),
        (["file:///tmp", "--type", "x"], "--type executable is about local files"),
        (["file:///tmp", "--files-from", "mine.py"], "--files-from lists local files"),
        (["file:///tmp", "-t", "duplicates"], "the task duplicates is for local files"),
        (["file:///tmp", "-t", "count", "--urls"], "--urls is for --call and commands"),
        (["file:///tmp", "-X", "echo"], "-X needs all of its files at once"),
        ([".", "--urls"], "--urls is about PATHs that are URLs"),
        ([".", "-t", "compress", "--option", "to=memory://x"], "and to= of copy, may be a URL"),
        ([".", "--results", "memory://x", "-x", "echo"], "only PATHs and -o may be some"),
    ],
)
def test_what_is_refused(small: Path, arguments: list[str], words: str) -> None:
    """In one line, before anything is begun; no secret is shown or recorded."""
    done = fsworkers("process", *arguments, cwd=small, XDG_STATE_HOME=str(small / "state"))
    lines = done.stderr.decode().splitlines()
    assert (done.returncode, done.stdout, len(lines)) == (2, b"", 1), done.stderr
    assert words in lines[0]
    assert "secret" not in lines[0]
    assert not (small / "state").exists()


def test_nothing_of_it_is_loaded_without_a_url(tmp_path: Path) -> None:
    """A run over local files costs no import more."""
    (tmp_path / "a").touch()
    program = (
        "import sys; from fsworkers import cli\n"
        "wanted = ('fsspec', 'fsworkers.storage', 'fsworkers.scan.remote')\n"
        "cli._leave = lambda code: print([one for one in wanted if one in sys.modules])\n"
        "sys.argv = ['fsworkers', 'process', 'a', '-q', '-o', 'o.csv']\n"
        "cli.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, check=False, timeout=30
    )
    assert done.stdout == b"[]\n", done.stderr


def s3(environment: dict[str, str], program: str, *arguments: str) -> None:
    """Do something to a bucket."""
    subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys, s3fs; s3 = s3fs.S3FileSystem(); {program}",
            *arguments,
        ],
        env=os.environ | environment,
        check=True,
        timeout=50,
    )


@needs_s3
@pytest.mark.parametrize("count", [200, pytest.param(2000, marks=pytest.mark.slow)])
def test_a_bucket(tree: Path, tmp_path: Path, count: int) -> None:
    """Checksums are those of a local copy; what changes within a second is done again."""
    for number in range(200, count):
        (tree / str(number % 5) / str(number)).write_bytes(b"%d" % number)
    expected = sums(tree)

    def process(*arguments: str) -> list[dict[str, object]]:
        command = ("process", "s3://photos", "--changed", "-q", "--retries", "9", *arguments)
        done = fsworkers(*command, limit=64, stdin=b"", cwd=tmp_path, **environment)
        assert done.returncode == 0, done.stderr
        return rows(done.stdout)

    with serving("s3", tree, every=20) as port:
        environment = {
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "XDG_STATE_HOME": str(tmp_path / "state"),
        }
        put_all = "s3.mkdir('photos'); s3.put(sys.argv[1], 'photos', recursive=True)"
        s3(environment, put_all, f"{tree}/")
        process("-o", "s3://photos/sums.jsonl")
        changed = tree / "1" / "no 1.txt"
        changed.write_bytes(b"9\n")
        expected["1/no 1.txt"] = sha256(b"9\n").hexdigest()
        s3(environment, "s3.put_file(*sys.argv[1:])", str(changed), "photos/1/no 1.txt")
        lines = process("-E", "sums.jsonl", "--summary", "s.json")
    assert told(lines, "s3://photos") == expected
    summary = json.loads((tmp_path / "s.json").read_bytes())
    assert (summary["found"], summary["done"]) == (count, 1)
    recorded = [one.read_bytes() for one in (tmp_path / "state").rglob("*") if one.is_file()]
    assert recorded
    assert not [one for one in recorded if b"very-secret" in one]
