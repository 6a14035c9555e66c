"""``fsworkers process`` as a user types it."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from tests.integration.cli.conftest import Refusing

FSWORKERS = [sys.executable, "-c", "from fsworkers.cli import main; main()"]
SAMPLE_DATA = Path(__file__).parents[3] / "sample_data"


def fsworkers(
    *arguments: str | Path,
    cwd: Path | None = None,
    limit: int | None = None,
    stdin: bytes = b"",
    **environment: str,
) -> subprocess.CompletedProcess[bytes]:
    """Run the command."""
    command = [*FSWORKERS, *map(str, arguments)]
    if limit is not None:
        command = ["sh", "-c", f'ulimit -n {limit}; exec "$0" "$@"', *command]
    return subprocess.run(
        command,
        cwd=cwd,
        input=stdin,
        capture_output=True,
        timeout=50,
        env=os.environ | environment,
        check=False,
    )


def rows(output: bytes) -> list[dict[str, object]]:
    """The JSON Lines of an output."""
    return [json.loads(line) for line in output.splitlines()]


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """2,000 small files."""
    root = tmp_path / "many"
    for number in range(2000):
        folder = root / str(number // 100)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / str(number)).write_bytes(b"%d" % number)
    return root


def test_sample_data_is_checksummed() -> None:
    """The main job: every file once, as JSON Lines with their keys in order."""
    done = fsworkers("process", "sample_data", cwd=SAMPLE_DATA.parent)
    assert done.returncode == 0
    lines = rows(done.stdout)
    assert list(lines[0]) == [
        "path",
        "status",
        "value",
        "error",
        "attempts",
        "size",
        "duration_s",
        "worker",
    ]
    expected = {
        os.path.relpath(file, SAMPLE_DATA.parent): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in SAMPLE_DATA.rglob("*")
        if file.is_file()
    }
    assert {line["path"]: line["value"] for line in lines} == expected
    assert len(lines) == len(expected)
    assert done.stderr.decode().startswith(f"{len(expected)} files: {len(expected)} done; ")


def test_sums_are_read_by_coreutils(tmp_path: Path) -> None:
    """The ``.sha256`` output is accepted by ``sha256sum -c``, odd names and all."""
    root = tmp_path / "odd"
    root.mkdir()
    for name in (b"new\nline", b"back\\slash", b"-dash", b" space ", b"not\xffutf8", b"\x1b[31m"):
        Path(os.fsdecode(os.path.join(os.fsencode(root), name))).write_bytes(name)
    assert fsworkers("process", "odd", "-o", "o.sha256", "-q", cwd=tmp_path).returncode == 0
    check = subprocess.run(
        ["sha256sum", "-c", "--strict", "o.sha256"], cwd=tmp_path, capture_output=True, check=False
    )
    assert (check.returncode, check.stdout.count(b"OK")) == (0, 6)


def test_csv_and_summary(many: Path, tmp_path: Path) -> None:
    """CSV has one row a file; the summary's outcomes add up to what was found."""
    done = fsworkers("process", many, "-o", "o.csv", "--summary", "s.json", "-q", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    table = list(csv.DictReader(io.StringIO((tmp_path / "o.csv").read_text())))
    assert len({row["path"] for row in table}) == len(table) == 2000
    summary = json.loads((tmp_path / "s.json").read_text())
    assert list(summary)[:8] == [
        "run",
        "found",
        "done",
        "failed",
        "skipped",
        "timed_out",
        "crashed",
        "cancelled",
    ]
    assert summary["found"] == summary["done"] == 2000
    assert set(summary["descriptors"]) == {
        "limit",
        "budget",
        "peak",
        "waits",
        "waited_s",
        "refused",
    }


def test_tight_limit_fails_nothing(many: Path) -> None:
    """At ``ulimit -n 64`` with 8 workers every file is done."""
    done = fsworkers("process", many, "-j8", limit=64)
    assert done.returncode == 0
    assert [row["status"] for row in rows(done.stdout)] == ["done"] * 2000


def test_own_function_with_options(tmp_path: Path) -> None:
    """``--call`` finds a module of the working directory, plain or not, and passes options."""
    (tmp_path / "mine.py").write_text(
        "def ends(path, *, suffix): return path.endswith(suffix)\n"
        "async def name(path): return path\n"
    )
    done = fsworkers(
        "process", "mine.py", "--call", "mine:ends", "--option", "suffix=.py", cwd=tmp_path
    )
    assert (done.returncode, rows(done.stdout)[0]["value"]) == (0, True)
    done = fsworkers("process", "mine.py", "--call", "mine:name", cwd=tmp_path)
    assert (done.returncode, rows(done.stdout)[0]["value"]) == (0, "mine.py")


def test_own_function_in_a_file_with_numbers(tmp_path: Path) -> None:
    """``--call sub/odd-name.py:f`` reaches the workers, with options as it declares them."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "odd-name.py").write_text("def f(path, width: int = 5): return width + 1\n")
    call = ("process", "sub", "--call", "sub/odd-name.py:f", "-q", "--option")
    done = fsworkers(*call, "width=100", cwd=tmp_path)
    assert (done.returncode, rows(done.stdout)[0]["value"]) == (0, 101)
    done = fsworkers(*call, "width=wide", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"--option width=wide: sub/odd-name.py:f declares width as INTEGER" in done.stderr


def test_failing_function_exits_with_1(tmp_path: Path) -> None:
    """Failed files are outcomes: the run goes on, the first are named, the exit code is 1."""
    (tmp_path / "mine.py").write_text("def no(path): raise ValueError('no ' + path)\n")
    done = fsworkers("process", "mine.py", "--call", "mine:no", cwd=tmp_path)
    assert done.returncode == 1
    assert rows(done.stdout)[0]["error"] == "ValueError: no mine.py"
    assert "failed: mine.py: ValueError: no mine.py" in done.stderr.decode()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "no such file or directory: 'nowhere'"),
        ([], "no PATH is given; name at least one directory or file"),
        ([".", "-t", "nosuch"], "there are archive, checksum"),
        ([".", "--call", "nosuch:f"], "can't be imported"),
        ([".", "--call", "os:nosuch"], "has no 'nosuch'"),
        ([".", "--call", "os"], "MODULE:FUNCTION"),
        ([".", "--call", "os:getcwd"], "can't be called with a path"),
        ([".", "-t", "checksum", "--call", "os:stat"], "not both"),
        ([".", "--option", "algorithm=crc"], "algorithm as sha256|sha1"),
        ([".", "--option", "colour=red"], "has no option 'colour'; it has algorithm"),
        ([".", "--option", "red"], "KEY=VALUE"),
        ([".", "--option", "algorithm=md5", "--option", "algorithm=sha1"], "each KEY once"),
        ([".", "-j0"], "workers is 0"),
        ([".", "-jx"], "'x' is not a whole number"),
        ([".", "--slots", "0"], "slots is 0"),
        ([".", "--timeout", "0"], "timeout is 0"),
        ([".", "--halt", "later"], "soon,fail=10%"),
        ([".", "-o", "no/such/dir/o.csv"], "no/such/dir/o.csv"),
        ([".", "-o", "o.xyz"], ".jsonl"),
        ([".", "-o", "o.md5", "--option", "algorithm=sha1"], "computes sha1"),
        ([".", "--summary", "-"], "both go to stdout"),
        ([".", "-o", "-", "--summary", "-"], "both go to stdout"),
        ([".", "-o", "o.csv", "--metrics", "./o.csv"], "-o and --metrics are the same file"),
        ([".", "-0"], "--files-from"),
        ([".", "--timeout", "soon"], "--timeout: 'soon' is not a length of time"),
        ([".", "-g", "[\x1b"], "bad pattern '[\\x1b'"),
        ([".", "--\x1b"], "--\\x1b"),
        ([".", "--summary", "no/such/dir/s.json"], "no/such/dir/s.json"),
        ([".", "-S", "much"], "much"),
        ([".", "--changed-within", "soon"], "--changed-within: 'soon' is neither"),
        ([".", "--changed-before", "x"], "'2026-01-31 12:00:00'"),
        ([".", "-e", "."], "'.' is not an extension"),
        ([".", "--regex", "("], "bad regular expression '('"),
        ([".", "--ignore-file", "nosuch"], "--ignore-file nosuch: No such file"),
        ([".", "--type", "empty,d"], "'d' is not a type"),
        ([".", "--owner", "no such"], "there is no user 'no such' here"),
        ([".", "--limit", "0"], "at least 1"),
        ([".", "--sample", "0%"], "such as 5%"),
        ([".", "--seed", "1"], "--sample"),
        ([".", "--min-depth", "-1"], "depth of -1"),
        ([".", "--files-from", "nosuch.txt"], "nosuch.txt"),
        ([".", "--bogus"], "--bogus"),
        ([".", "--bogus"], "see fsworkers process --help"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(
    tmp_path: Path, arguments: list[str], words: str, refusing: Refusing
) -> None:
    """Whatever is wrong with the command is said in one line, before any worker starts."""
    code, written, lines = refusing(*arguments, cwd=tmp_path)
    assert (code, written, len(lines)) == (2, b"", 1)
    assert lines[0].startswith("fsworkers: ")
    assert words in lines[0]
    assert "\x1b" not in lines[0]
    assert not list(tmp_path.iterdir())


def test_killed_worker_costs_no_file(many: Path, tmp_path: Path) -> None:
    """``kill -9`` of a worker in mid-run: all done, each path once."""
    output = tmp_path / "o.jsonl"
    (tmp_path / "slow.py").write_text(
        "import threading\ndef f(path): threading.Event().wait(0.001); return path\n"
    )
    run = subprocess.Popen(
        [*FSWORKERS, "process", str(many), "--call", "slow:f", "-o", str(output), "-q"],
        cwd=tmp_path,
    )
    deadline = time.monotonic() + 20
    while not _size_of(output):
        assert time.monotonic() < deadline
        os.sched_yield()
    psutil.Process(run.pid).children()[0].kill()
    assert run.wait(30) == 0
    lines = rows(output.read_bytes())
    assert {line["status"] for line in lines} == {"done"}
    assert len({line["path"] for line in lines}) == len(lines) == 2000


def _size_of(output: Path) -> int:
    """How much of it there is before it is whole: nothing before the run."""
    try:
        return output.with_name(f"{output.name}.partial").stat().st_size
    except FileNotFoundError:
        return 0


def test_interrupt_finishes_what_runs(many: Path, tmp_path: Path) -> None:
    """One Ctrl-C: running jobs end and are recorded, the exit code is 130, nothing is left."""
    output = tmp_path / "o.jsonl"
    (tmp_path / "slow.py").write_text(
        "import threading\ndef f(path): threading.Event().wait(0.05); return path\n"
    )
    run = subprocess.Popen(
        [
            *FSWORKERS,
            "process",
            str(many),
            "--call",
            "slow:f",
            "-o",
            str(output),
            "--summary",
            "s.json",
        ],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 20
    while not _size_of(output):
        assert time.monotonic() < deadline
        os.sched_yield()
    run.send_signal(signal.SIGINT)
    _, stderr = run.communicate(timeout=20)
    assert run.returncode == 130
    assert "interrupted" in stderr.decode()
    summary = json.loads((tmp_path / "s.json").read_text())
    assert summary["done"] > 0
    assert summary["cancelled"] > 0
    assert summary["found"] == summary["done"] + summary["cancelled"]
    assert not output.exists()
    partial = tmp_path / "o.jsonl.partial"
    assert len(rows(partial.read_bytes())) == summary["found"]
    last = stderr.decode().splitlines()[-1]
    assert last.startswith(f"so far there is {partial}; resume with: fsworkers resume ")


@pytest.mark.parametrize("first", [signal.SIGINT.value, signal.SIGTERM.value, 0])
@pytest.mark.parametrize("moment", ["engine.close", "leave", "load"])
def test_signals_in_the_last_moments_end_as_signals_do(
    tmp_path: Path, moment: str, first: int
) -> None:
    """SIGTERM after the run has been interrupted, or is over: 130 or 143, and no death by it."""
    (tmp_path / "a").write_text("a")
    script = f"""
        import os, signal
        import fsworkers.cli
        def strike():
            os.kill(os.getpid(), signal.SIGTERM)
        if {moment!r} == "load":
            fsworkers.cli._run = lambda arguments: strike()
        elif {moment!r} == "leave":
            leave = fsworkers.cli._leave
            fsworkers.cli._leave = lambda code: (strike(), leave(code))
        else:
            from fsworkers.engines.local import LocalEngine
            close = LocalEngine.close
            LocalEngine.close = lambda engine: (strike(), close(engine))
        if {first}:
            from fsworkers.cli.session import Session
            finish = Session._finish
            Session._finish = lambda *what: (os.kill(os.getpid(), {first}), finish(*what))
        fsworkers.cli.main()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), "process", "a", "-q"],
        cwd=tmp_path,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert b"Traceback" not in done.stderr
    assert done.returncode in {0 if moment == "leave" else 143, 130, 143}


def test_closed_pipe_ends_quietly(many: Path) -> None:
    """``| head -1`` prints one line and nothing else."""
    run = subprocess.Popen(
        [*FSWORKERS, "process", "-q", many], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert run.stdout is not None
    assert run.stderr is not None
    assert run.stdout.readline().startswith(b'{"path":')
    run.stdout.close()
    assert run.stderr.read() == b""
    run.stderr.close()
    assert run.wait(20) == 0


def test_file_list_and_dry_run(tmp_path: Path) -> None:
    """Paths are read from stdin byte for byte; a dry run lists what would be processed."""
    for name in ("a b", "c"):
        (tmp_path / name).write_text(name)
    done = fsworkers(
        "process", "--files-from", "-", "-0", "-n", cwd=tmp_path, stdin=b"a b\0c\0missing\0"
    )
    assert (done.returncode, done.stdout) == (0, b"a b\nc\n")
    done = fsworkers("process", "--files-from", "-", cwd=tmp_path, stdin=b"a b\nmissing\n")
    assert done.returncode == 1
    assert {row["path"]: row["status"] for row in rows(done.stdout)} == {
        "a b": "done",
        "missing": "failed",
    }


def test_a_list_that_ends_names_with_nul_says_so(tmp_path: Path) -> None:
    """``find -print0`` without ``-0`` would be one name that nobody has."""
    (tmp_path / "list").write_bytes(b"a\0b\0")
    for arguments in (["--files-from", "list"], ["--files-from", "-"]):
        done = fsworkers("process", *arguments, cwd=tmp_path, stdin=b"a\0b\0")
        assert (done.returncode, done.stdout) == (2, b"")
        assert b"say so with -0" in done.stderr


def test_checksum_lists_say_which_by_their_name(tmp_path: Path) -> None:
    """``-o sums.md5`` computes md5, and all others that such a list can hold."""
    (tmp_path / "a").write_bytes(b"a")
    for suffix in ("md5", "sha1", "sha224", "sha384", "sha512", "sha256"):
        target = tmp_path / f"sums.{suffix}"
        assert fsworkers("process", "a", "-o", target, "-q", cwd=tmp_path).returncode == 0
        assert target.read_text() == f"{hashlib.new(suffix, b'a').hexdigest()}  a\n"


def test_summary_to_stdout(tmp_path: Path) -> None:
    """``--summary -`` where results go to a file; no file has that name afterwards."""
    (tmp_path / "a").write_bytes(b"a")
    done = fsworkers("process", "a", "-o", "o.jsonl", "--summary", "-", "-q", cwd=tmp_path)
    assert (done.returncode, json.loads(done.stdout)["done"]) == (0, 1)
    assert not (tmp_path / "-").exists()


def test_durations_have_units(tmp_path: Path) -> None:
    """``--timeout 200ms`` as well as seconds; paths are told without doubled slashes."""
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a").touch()
    (tmp_path / "slow.py").write_text("import threading\ndef f(path): threading.Event().wait(60)\n")
    call = ("process", "one//", "--call", "slow:f", "--timeout")
    done = fsworkers(*call, "200ms", cwd=tmp_path)
    (row,) = rows(done.stdout)
    assert (row["path"], row["status"]) == ("one/a", "timed_out")
    assert row["error"] == "TimeoutError: took longer than 0.2 s"


def test_a_dry_run_escapes_names_for_a_terminal(tmp_path: Path) -> None:
    """In a pipe they are exact."""
    (tmp_path / "a\x1b[31m\n").touch()
    listed = fsworkers("process", ".", "-n", cwd=tmp_path)
    assert listed.stdout == b"./a\x1b[31m\n\n"
    ours, theirs = pty.openpty()
    run = subprocess.run(
        [*FSWORKERS, "process", ".", "-n"], cwd=tmp_path, stdout=theirs, check=True
    )
    os.close(theirs)
    shown = os.read(ours, 1000)
    os.close(ours)
    assert (run.returncode, shown) == (0, b"./a\\x1b[31m\\n\r\n")


def test_order_is_kept(many: Path) -> None:
    """``-k`` gives results in the order in which files are found."""
    listed = fsworkers("process", many, "-n").stdout.decode().splitlines()
    done = fsworkers("process", many, "-k", "-q")
    assert [row["path"] for row in rows(done.stdout)] == listed


def test_output_on_a_full_disk_is_a_clear_error(many: Path, tmp_path: Path) -> None:
    """No space for the output: the file is named, the exit code tells, nothing hangs."""
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    target = tmp_path / "o.jsonl"
    target.symlink_to("/dev/full")
    done = fsworkers("process", many, "-o", target)
    assert done.returncode == 3
    assert "o.jsonl" in done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_installed_command_and_help() -> None:
    """The console script is there, and its help lists the commands."""
    command = shutil.which("fsworkers", path=str(Path(sys.executable).parent))
    assert command is not None
    shown = subprocess.run([command, "--help"], capture_output=True, text=True, check=True).stdout
    assert all(name in shown for name in ("process", "limits", "tasks"))
    assert "..." not in shown.replace("[ARGS]...", "")
    assert subprocess.run([command], capture_output=True, text=True, check=True).stdout == shown


def test_help_of_process_is_grouped() -> None:
    """What, which files, how, output, journal: in the order in which one asks; in 80 columns."""
    shown = fsworkers("process", "--help", COLUMNS="80").stdout.decode()
    headings = re.findall(r"^╭─ (.+?) ─+╮$", shown, re.MULTILINE)
    assert headings == [
        "Arguments",
        "Options",
        "What is done to each file",
        "Which files",
        "How it runs",
        "Output",
        "Journal",
        "Configuration",
    ]
    assert max(map(len, shown.splitlines())) == 80


def test_help_is_all_that_loads_rich(tmp_path: Path) -> None:
    """It takes longer to load than most runs take to begin."""
    (tmp_path / "a").touch()
    script = """
        import os, sys
        from fsworkers import cli
        cli._leave = lambda code: print([one for one in sys.modules if one.startswith("rich.")])
        cli.main()
    """
    loaded = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), "process", "a", "-o", "o.csv", "-q"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    assert loaded.stdout == b"[]\n"


def test_a_scenario_given_as_an_argument_is_told_its_option() -> None:
    """The likeliest mistake, and what is right."""
    done = fsworkers("stress", "open-storm")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"a scenario is chosen by --scenario NAME (see fsworkers stress --help)" in done.stderr


def test_limits_and_tasks() -> None:
    """Both tell what they are for."""
    shown = fsworkers("limits", limit=64).stdout.decode()
    assert "soft limit (ulimit -n)      64" in shown
    assert "budget for file operations" in shown
    assert (
        "algorithm=sha256|sha1|sha224|sha384|sha512|md5|blake2b|blake3"
        in fsworkers("tasks").stdout.decode()
    )


@pytest.mark.parametrize("closed", ["2>&-", "<&- 2>&-", "<&-"])
def test_closed_standard_streams_change_no_result(tmp_path: Path, closed: str) -> None:
    """With stdin or stderr closed all results are written, and nothing else is."""
    (tmp_path / "a").write_text("a")
    done = subprocess.run(
        ["sh", "-c", f'"$@" {closed}', "sh", *FSWORKERS, "process", "a"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        timeout=30,
        check=False,
    )
    assert (done.returncode, [row["path"] for row in rows(done.stdout)]) == (0, ["a"])


@pytest.mark.parametrize("progress", [(), ("--progress",)])
@pytest.mark.parametrize("stderr", ["full", "left", "unread"])
def test_broken_stderr_changes_no_result(
    many: Path, tmp_path: Path, stderr: str, progress: tuple[str, ...]
) -> None:
    """A full disk behind it, a reader that has gone, or one that takes nothing: all is done."""
    if stderr == "full" and not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    (tmp_path / "m.py").write_text("def prints(path): print('x' * 100)\n")
    reads, writes = os.pipe()
    if stderr == "left":
        os.close(reads)
    if stderr == "full":
        os.close(writes)
        writes = os.open("/dev/full", os.O_WRONLY)
    done = subprocess.run(
        [*FSWORKERS, "process", many, "--call", "m:prints", "-o", "o.jsonl", *progress],
        cwd=tmp_path,
        stderr=writes,
        timeout=30,
        check=False,
    )
    os.close(writes)
    if stderr != "left":
        os.close(reads)
    assert done.returncode == 0
    assert len(rows((tmp_path / "o.jsonl").read_bytes())) == 2000


def test_what_a_task_prints_reaches_stderr(tmp_path: Path) -> None:
    """Stdout belongs to results."""
    (tmp_path / "m.py").write_text("def prints(path): print('from the task')\n")
    done = fsworkers("process", "m.py", "--call", "m:prints", "-q", cwd=tmp_path)
    assert (len(rows(done.stdout)), done.stderr) == (1, b"from the task\n")


def test_error_never_goes_to_stdout(tmp_path: Path) -> None:
    """With stderr closed an error message goes nowhere."""
    done = subprocess.run(
        ["sh", "-c", '"$@" 2>&-', "sh", *FSWORKERS, "process", "nowhere"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, b"")


def test_interrupt_at_any_moment_is_quiet(many: Path, tmp_path: Path) -> None:
    """Ctrl-C while everything is still being loaded: exit 130 and no traceback.

    Before its first line the interpreter itself meets an interrupt, in its own way.
    """
    script = "from fsworkers.cli import main; print('begun', flush=True); main()"
    (tmp_path / "task.py").write_text("import time\ndef nap(path): time.sleep(0.01)\n")
    what = ["process", str(many), "--call", "task:nap", "-o", str(tmp_path / "o.jsonl")]
    for delay_s in (0.01, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3):
        run = subprocess.Popen(
            [sys.executable, "-c", script, *what],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
        )
        assert run.stdout is not None
        assert run.stdout.readline() == b"begun\n"
        with pytest.raises(subprocess.TimeoutExpired):
            run.wait(delay_s)
        run.send_signal(signal.SIGINT)
        _, stderr = run.communicate(timeout=20)
        assert run.returncode in {0, 130}
        assert b"Traceback" not in stderr


@pytest.mark.parametrize("place", ["a finalizer", "the making of a class", "an import"])
def test_interrupt_is_met_wherever_it_strikes(place: str, tmp_path: Path) -> None:
    """From a finalizer nothing is raised: it comes again. A class makes another error of it."""
    (tmp_path / "typer.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGINT)")
    script = f"""
        import os, signal, sys, threading
        from fsworkers.cli import main

        def strike(*arguments):
            os.kill(os.getpid(), signal.SIGINT)

        def app(*arguments, **options):
            if {place!r} == "a finalizer":
                type("Struck", (), {{"__del__": strike}})()
                threading.Event().wait(20)
            else:
                part = type("Part", (), {{"__set_name__": strike}})()
                type("Made", (), {{"part": part}})
            return 0

        if {place!r} == "an import":
            sys.path.insert(0, {str(tmp_path)!r})
        else:
            import fsworkers.cli.app
            fsworkers.cli.app.app_for = lambda arguments: app
        main()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_outputs_that_would_overwrite_each_other_are_refused(tmp_path: Path) -> None:
    """``-o`` and ``--summary`` on one file: exit 2, nothing written."""
    done = fsworkers("process", ".", "-o", "x.csv", "--summary", "./x.csv", cwd=tmp_path)
    assert (done.returncode, b"same file" in done.stderr) == (2, True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("target", ["-", "/dev/stdout"])
def test_output_to_stdout_by_name(tmp_path: Path, target: str) -> None:
    """``-o -`` and ``-o /dev/stdout`` are JSON Lines on stdout."""
    (tmp_path / "a").write_text("a")
    done = fsworkers("process", "a", "-o", target, "-q", cwd=tmp_path)
    assert (done.returncode, len(rows(done.stdout))) == (0, 1)
    with (tmp_path / "log").open("ab") as log:
        log.write(b"before\n")
        log.flush()
        subprocess.run(
            [*FSWORKERS, "process", "a", "-o", target, "-q"], cwd=tmp_path, stdout=log, check=True
        )
    assert len((tmp_path / "log").read_bytes().splitlines()) == 2


def test_deleted_working_directory(tmp_path: Path) -> None:
    """From a directory that is gone, absolute paths are processed all the same."""
    (tmp_path / "a").write_text("a")
    gone = tmp_path / "gone"
    gone.mkdir()
    fsworkers = [sys.executable, "-P", *FSWORKERS[1:]]  # CPython 3.13.0 fails with "" in its path
    command = [*fsworkers, "process", str(tmp_path / "a"), "--call", "os.path:getsize"]
    script = f'cd "{gone}" && rmdir "{gone}" && exec "$@"'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *command],
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, rows(done.stdout)[0]["value"]) == (0, 1)
