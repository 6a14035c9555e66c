"""``fsworkers process -x`` and ``-X`` as a user types them."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from fsworkers import Command, CommandFailed, Pool, process_tree
from fsworkers.errors import RemoteError
from fsworkers.pool.master.machine import memory_bytes
from tests.integration.cli.conftest import Refusing
from tests.integration.cli.test_process import FSWORKERS, fsworkers, rows

ODD = [
    b"a.txt", b"b.tar.gz", b".hid", b"..a", b"dot.", b"-dash.txt", b"--rf", b"sp ace.t",
    b"new\nline.t", b"\xff\xfe.bin", b"br{}ace.t", b"{x}", b"q'uo\"te.t", b"d.ir/-y.z",
    b"d.ir/\xffsub/.q.r",
]  # fmt: skip

GZIP = ["-x", "sh", "-c", 'gzip -nc "$1" > "$2"', "sh", "{}", "{out}", "--to", "gz/{rel}.gz"]


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A folder with a tree of odd names."""
    for name in ODD:
        path = os.path.join(os.fsencode(tmp_path), b"odd", name.lstrip(b"/"))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(name)
    return tmp_path


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A folder with 40 logs in two directories."""
    for number in range(40):
        path = tmp_path / "logs" / "ab"[number % 2] / f"{number}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in range(number * 50)))
    return tmp_path


TEMPLATES = ["{}", "{/}", "{//}", "{.}", "{/.}", "x{/}y{.}"]


@pytest.mark.parametrize("root", ["odd", ".", "./odd"])
def test_the_arguments_are_those_of_fd(odd: Path, root: str) -> None:
    """Byte for byte, for each file and for all at once, with each template and without any."""
    fd = shutil.which("fdfind") or shutil.which("fd")
    if fd is None:
        pytest.skip("fd is not installed")
    dump = ["sh", "-c", 'printf "%s\\0" "$@"; printf "\\1\\0"', "sh"]
    for command in (
        ["-x", *dump, *TEMPLATES],
        ["-x", *dump],
        *(["-X", *dump, one] for one in TEMPLATES),
    ):
        theirs = subprocess.run(
            [fd, "-HI", "-t", "f", ".", root, *command], cwd=odd, capture_output=True, check=True
        )
        ours = fsworkers("process", "-q", "--no-journal", root, *command, cwd=odd)
        assert ours.returncode == 0, ours.stderr
        # Of each call the arguments; of one for all files their order may differ.
        split = b"\1\0" if command[0] == "-x" else b"\0"
        assert sorted(ours.stdout.split(split)) == sorted(theirs.stdout.split(split)), command


def test_a_commands_own_output_is_shown_a_file_in_one_piece(odd: Path) -> None:
    """Stdout to stdout, stderr to stderr, in order with -k, also of those that failed."""
    script = 'echo "${{1##*/}}"; echo; echo e >&2; [ "$1" != odd/a.txt ]'
    args = ("odd", "-g", "[abd]*.[tg]*", "-k", "-q")
    done = fsworkers("process", *args, "-x", "sh", "-c", script, "sh", cwd=odd)
    assert done.returncode == 1
    assert sorted(done.stdout.split(b"\n\n")) == [b"", b"a.txt", b"b.tar.gz", b"br{}ace.t"]
    assert done.stderr == b"e\n" * 3
    tagged = fsworkers("process", *args, "--tag", "-x", "sh", "-c", script, "sh", cwd=odd)
    assert b"odd/a.txt\ta.txt\nodd/a.txt\t\n" in tagged.stdout
    assert tagged.stderr.count(b"\te\n") == 3


def test_lines_are_shown_while_commands_run(odd: Path) -> None:
    """Each whole and at once, also one without an end; who reads no further ends what runs."""
    script = "echo one; echo err >&2; printf '\\377'; until [ -e go ]; do sleep 0.02; done"
    run = subprocess.Popen(
        [
            *FSWORKERS, "process", "odd/a.txt", "odd/dot.", "-q", "--line-buffer", "--tag", "-x",
            "sh", "-c", script,
        ],
        cwd=odd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
    )  # fmt: skip
    with run:
        assert run.stdout is not None
        assert run.stderr is not None
        both = [b"odd/a.txt\t%s\n", b"odd/dot.\t%s\n"]
        assert {run.stdout.readline() for _ in both} == {one % b"one" for one in both}
        assert {run.stderr.readline() for _ in both} == {one % b"err" for one in both}
        (odd / "go").touch()
        assert {run.stdout.readline() for _ in both} == {one % b"\xff" for one in both}
        assert run.stdout.read() == b""
    assert run.returncode == 0
    endless = [*FSWORKERS, "process", "odd", "-q", "--line-buffer", "-x", "yes"]
    with subprocess.Popen(endless, cwd=odd, stdout=subprocess.PIPE, bufsize=0) as run:
        assert run.stdout is not None
        assert run.stdout.readline().startswith(b"odd/")
        run.stdout.close()
    assert run.returncode == 0
    with open("/dev/full", "wb") as full:
        refused = subprocess.run(endless, cwd=odd, stdout=full, stderr=subprocess.PIPE, check=False)
    assert refused.returncode == 3
    assert b"No space left" in refused.stderr


def test_long_output_is_whole_and_leaves_nothing(odd: Path) -> None:
    """More than is kept in memory goes by way of a file."""
    (odd / "tmp").mkdir()
    done = fsworkers(
        "process", "odd/a.txt", "-q", "-x", "head", "-c", "3000000", "/dev/zero",
        cwd=odd, TMPDIR=str(odd / "tmp"),
    )  # fmt: skip
    assert len(done.stdout) == 3_000_000 + len("==> /dev/zero <==\n") + len(
        "\n==> odd/a.txt <==\n" + "a.txt"
    )
    assert not any((odd / "tmp").iterdir())


def test_who_reads_no_further_ends_the_run_quietly(odd: Path) -> None:
    """As ``| head -1`` does."""
    line = f"{sys.executable} -m fsworkers process odd -x echo y"
    script = f"set -o pipefail; {line} 2>err | head -c 1; echo $?"
    done = subprocess.run(["bash", "-c", script], cwd=odd, capture_output=True, check=False)
    assert done.stdout == b"y0\n"
    assert b"Traceback" not in (odd / "err").read_bytes()


def test_rows_hold_what_commands_left(odd: Path) -> None:
    """With an output, or a format, that shows them."""
    done = fsworkers("process", "odd/a.txt", "--format", "jsonl", "-x", "cat", cwd=odd)
    (row,) = rows(done.stdout)
    assert row["value"] == {"exit": 0, "stdout": "a.txt", "stderr": ""}
    failed = fsworkers("process", "odd/a.txt", "-o", "r.jsonl", "-x", "sh", "-c", "exit 7", cwd=odd)
    assert (failed.returncode, failed.stdout) == (1, b"")
    (row,) = rows((odd / "r.jsonl").read_bytes())
    assert (row["status"], row["error"]) == ("failed", "exit 7")
    assert row["value"] == {"exit": 7, "stdout": "", "stderr": ""}


def test_what_failed_is_named_and_can_be_retried(odd: Path) -> None:
    """With the command, its code and its last lines; ``retry`` runs just those."""
    script = '[ "$(cat "$1")" != a.txt ] || [ -e mended ] || {{ echo broken >&2; exit 5; }}'
    fsworkers("process", "odd", "-q", "-x", "sh", "-c", script, "sh", cwd=odd)
    shown = fsworkers("show", "--failed", cwd=odd).stdout.decode()
    assert "failed: odd/a.txt: exit 5: broken\n    $ sh -c " in shown
    assert "\n    exit 5\n    broken\n" in shown
    (odd / "mended").touch()
    assert fsworkers("retry", cwd=odd).returncode == 0
    assert fsworkers("show", "--failed", cwd=odd).stdout.count(b"failed:") == 0


def test_outputs_are_made_once(logs: Path) -> None:
    """A second run has nothing to do; what has changed, or is gone, is made again."""
    first = fsworkers("process", "logs", *GZIP, cwd=logs)
    assert first.returncode == 0, first.stderr
    for path in (logs / "logs").rglob("*.log"):
        made = logs / "gz" / f"{path.relative_to(logs / 'logs')}.gz"
        assert gzip.decompress(made.read_bytes()) == path.read_bytes()
    assert sum(one.is_file() for one in (logs / "gz").rglob("*")) == 40
    assert b"40 files: 40 skipped" in fsworkers("process", "logs", *GZIP, cwd=logs).stderr
    shown = fsworkers("show", "--json", cwd=logs)
    assert {row["error"] for row in rows(shown.stdout)} == {"up to date"}
    (logs / "gz" / "a" / "2.log.gz").unlink()
    (logs / "logs" / "b" / "3.log").write_text("new")
    assert b"2 done, 38 skipped" in fsworkers("process", "logs", *GZIP, cwd=logs).stderr
    other = [*GZIP[:3], 'gzip -9nc "$1" > "$2"', *GZIP[4:]]
    assert b"40 done" in fsworkers("process", "logs", *other, cwd=logs).stderr
    assert b"40 done" in fsworkers("process", "logs", "--always", *other, cwd=logs).stderr


def test_outputs_within_the_tree_are_no_input(logs: Path) -> None:
    """A folder that they alone are in is left out."""
    for _ in range(2):
        done = fsworkers("process", ".", "--always", *GZIP, cwd=logs)
        assert b"40 files: 40 done" in done.stderr


def test_a_run_that_is_killed_leaves_no_half_output_and_goes_on(logs: Path) -> None:
    """Twice; no command outlives it, and in the end all is as it should be."""
    slow = [*GZIP[:3], 'sleep 0.05; gzip -nc "$1" > "$2"; sleep 0.05', *GZIP[4:]]
    command = ["process", "logs", "-j2", *slow]
    for _ in range(2):
        run = subprocess.Popen([*FSWORKERS, *command], cwd=logs, stderr=subprocess.DEVNULL)
        try:
            count = len(list(logs.glob("gz/*/*.gz")))
            wait_until(lambda count=count: len(list(logs.glob("gz/*/*.gz"))) > count + 3)
        finally:
            run.kill()
            run.wait()
        for path in logs.glob("gz/*/[0-9]*.gz"):
            source = logs / "logs" / path.relative_to(logs / "gz").with_suffix("")
            assert gzip.decompress(path.read_bytes()) == source.read_bytes()
        command = ["resume"]
    assert fsworkers("resume", cwd=logs).returncode == 0
    made = [one.name for one in (logs / "gz").rglob("*") if one.is_file()]
    assert len(made) == 40
    assert not any(name.startswith(".") for name in made)


def wait_until(is_so) -> None:
    """Look until it is."""
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)


def living(word: str) -> int:
    """How many processes have such an argument."""
    return sum(
        word in (one.info["cmdline"] or ()) and one.info["status"] != psutil.STATUS_ZOMBIE
        for one in psutil.process_iter(["cmdline", "status"])
    )


@pytest.mark.parametrize(
    "signals", [[signal.SIGKILL], [signal.SIGINT, signal.SIGINT], [signal.SIGTERM, signal.SIGTERM]]
)
def test_no_command_outlives_its_run(odd: Path, signals: list[signal.Signals]) -> None:
    """Whatever ends that."""
    word = f"60.{os.getpid()}{len(signals)}{int(signals[0])}"
    run = subprocess.Popen(
        [*FSWORKERS, "process", "odd", "-j2", "-x", "sh", "-c", f"sleep {word}; exit"],
        cwd=odd,
        stderr=subprocess.PIPE,
    )
    assert run.stderr is not None
    try:
        wait_until(lambda: living(word) == 2)
        for number in signals:
            run.send_signal(number)
            if number is not signal.SIGKILL:
                run.stderr.readline()
        wait_until(lambda: living(word) == 0)
    finally:
        run.kill()
        run.communicate()


def test_nothing_is_begun_without_room_and_ctrl_c_ends_that(odd: Path) -> None:
    """Here nobody will ever have so much memory."""
    most = memory_bytes("MemTotal") // 1024 - 1
    if most < 0:
        pytest.skip("this system does not tell how much memory is available")
    run = subprocess.Popen(
        [*FSWORKERS, "process", "odd", "--memfree", f"{most}Ki", "-x", "touch", "{}.begun"],
        cwd=odd,
        stderr=subprocess.PIPE,
    )
    with run:
        assert run.stderr is not None
        assert b"MiB of memory are available" in run.stderr.readline()
        run.send_signal(signal.SIGINT)
        assert b"\ninterrupted: " in run.stderr.read()
    assert run.returncode == 130
    assert [*odd.rglob("*.begun")] == []


def test_a_command_whose_worker_is_killed_ends_and_its_file_is_done_again(odd: Path) -> None:
    """The other files are not touched."""
    word = f"60.{os.getpid()}7"
    script = f'[ -e once ] || {{{{ touch once; sleep {word}; }}}}; echo "$1"'
    run = subprocess.Popen(
        [*FSWORKERS, "process", "odd/a.txt", "-q", "-x", "sh", "-c", script, "sh"],
        cwd=odd,
        stdout=subprocess.PIPE,
    )
    try:
        wait_until(lambda: living(word) == 1)
        (worker,) = [
            one for one in psutil.Process(run.pid).children() if one.children(recursive=True)
        ]
        worker.kill()
        output, _ = run.communicate(timeout=20)
        assert output == b"odd/a.txt\n"
        assert living(word) == 0
    finally:
        run.kill()
        run.communicate()


def test_time_outs_and_retries(odd: Path) -> None:
    """A command is ended without its worker; exit codes that may pass are tried again."""
    summary = odd / "s.json"
    done = fsworkers(
        "process", "odd/a.txt", "-q", "--timeout", "0.2", "--summary", summary,
        "-x", "sh", "-c", "echo so far; sleep 61",
        cwd=odd,
    )  # fmt: skip
    assert done.stdout == b"so far\n"
    told = json.loads(summary.read_bytes())
    assert (told["timed_out"], told["restarts"]) == (1, 0)
    again = fsworkers(
        "process", "odd/a.txt", "--retries", "2", "--retry-pause", "0", "--retry-on", "74,75",
        "-o", "r.jsonl", "-x", "sh", "-c", "echo >> tries; exit 75",
        cwd=odd,
    )  # fmt: skip
    assert again.returncode == 1
    assert rows((odd / "r.jsonl").read_bytes())[0]["attempts"] == 3
    assert (odd / "tries").read_text() == "\n" * 3
    fsworkers(
        "process", "odd/a.txt", "--retries", "2", "-x", "sh", "-c", "echo >> t2; exit 75", cwd=odd
    )
    assert (odd / "t2").read_text() == "\n"


def test_a_worker_that_replaces_another_takes_its_place(logs: Path) -> None:
    """Ports and devices can go by it."""
    recycling = ("-q", "-j2", "--max-jobs-per-worker", "3")
    done = fsworkers("process", "logs", *recycling, "-x", "echo", "{%}", cwd=logs)
    assert len(done.stdout.split()) == 40
    assert set(done.stdout.split()) <= {b"0", b"1"}


def test_few_descriptors_are_enough(odd: Path) -> None:
    """At ``ulimit -n 64``, with eight workers asked for."""
    done = fsworkers("process", "odd", "-j8", "-q", "-x", "cat", cwd=odd, limit=64)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout) == sum(map(len, ODD))


def test_batches_are_as_large_as_the_system_takes(tmp_path: Path) -> None:
    """Every file once, in as few calls as are needed; each file has its outcome."""
    folder = tmp_path / ("n" * 200)
    folder.mkdir()
    for number in range(900):
        (folder / f"{'f' * 200}{number}").touch()
    env = {"FILLER": "x" * 100_000}
    count = 'printf "%s\\n" "$#" >> calls; [ $# -gt 1 ] || exit 1'
    stack = ["sh", "-c", 'ulimit -s 1024; exec "$0" "$@"', *FSWORKERS]
    done = subprocess.run(
        [*stack, "process", folder.name, "-o", "r.jsonl", "-X", "sh", "-c", count, "sh"],
        cwd=tmp_path, env=os.environ | env, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    calls = list(map(int, (tmp_path / "calls").read_text().split()))
    assert sum(calls) == 900
    assert 3 <= len(calls) <= 4
    assert len(rows((tmp_path / "r.jsonl").read_bytes())) == 900
    few = fsworkers(
        "process",
        folder.name,
        "--batch-size",
        "300",
        "-X",
        "sh",
        "-c",
        "echo $#",
        "sh",
        cwd=tmp_path,
    )
    assert few.stdout == b"300\n" * 3


def test_batches_that_fail_are_halved_and_resumed(odd: Path) -> None:
    """With --bisect the culprits alone have failed; a later run knows the others."""
    script = (
        'for f; do [ "$f" != odd/a.txt ] || [ -e mended ] || {{ echo "$f" >&2; exit 1; }}; done'
    )
    command = ("odd", "-o", "r.jsonl", "--bisect", "-X", "sh", "-c", script, "sh")
    assert fsworkers("process", *command, cwd=odd).returncode == 1
    told = rows((odd / "r.jsonl").read_bytes())
    assert len(told) == len(ODD)
    assert [one["path"] for one in told if one["status"] == "failed"] == ["odd/a.txt"]
    whole = fsworkers("process", *[one for one in command if one != "--bisect"], cwd=odd)
    assert f"{len(ODD)} failed".encode() in whole.stderr
    values = [one["value"] for one in rows((odd / "r.jsonl").read_bytes())]
    assert sorted(value is None for value in values) == [False] + [True] * (len(ODD) - 1)
    (odd / "mended").touch()
    assert fsworkers("retry", cwd=odd).returncode == 0
    assert {one["status"] for one in rows((odd / "r.jsonl").read_bytes())} == {"done"}
    changed = fsworkers("process", "--changed", *command[:3], *command[4:], cwd=odd)
    assert f"{len(ODD)} skipped".encode() in changed.stderr


def test_numbers_come_once_though_a_run_is_resumed(tmp_path: Path) -> None:
    """What is named by {#} is not overwritten by what comes later."""
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    for number in range(6):
        (tmp_path / "in" / f"{number}").write_text(f"{number}")
    script = 'cp "$1" "out/$2"; [ -e on ] || [ "$1" = in/0 ]'
    command = ("in", "-j1", "-x", "sh", "-c", script, "sh", "{}", "{#}")
    assert fsworkers("process", *command, cwd=tmp_path).returncode == 1
    (tmp_path / "on").touch()
    assert fsworkers("retry", cwd=tmp_path).returncode == 0
    made = {int(one.name): one.read_text() for one in (tmp_path / "out").iterdir()}
    assert len(made) == 6 + 5
    assert Counter(made.values()) == Counter({"0": 1, **dict.fromkeys("12345", 2)})
    assert sorted(made)[:7] == [1, 2, 3, 4, 5, 6, 10**9 + 1]


def test_a_batch_that_takes_too_long_is_halved(odd: Path) -> None:
    """As one that fails: all others are done, in order; each call has the whole time."""
    script = 'sleep 0.2; case "$*" in *a.txt*) sleep 60;; *hid*) exit 3;; esac'
    limits = ("-q", "-k", "-j1", "--timeout", "0.5", "--bisect")
    done = fsworkers(
        "process", "odd", *limits, "-o", "r.jsonl", "-X", "sh", "-c", script, "sh", cwd=odd
    )
    assert done.returncode == 1
    told = rows((odd / "r.jsonl").read_bytes())
    overdue = [(one["path"], one["error"]) for one in told if one["status"] == "timed_out"]
    assert overdue == [("odd/a.txt", "TimeoutError: took longer than 0.5 s")]
    statuses = Counter(one["status"] for one in told)
    assert statuses == {"timed_out": 1, "failed": 1, "done": len(ODD) - 2}
    in_order = fsworkers("process", "odd", "-k", "-o", "k.jsonl", "-X", "true", cwd=odd)
    assert in_order.returncode == 0
    paths = [one["path"] for one in rows((odd / "k.jsonl").read_bytes())]
    assert [one["path"] for one in told] == paths


@pytest.mark.parametrize("engine", ["inline", "local"])
def test_halves_of_a_batch_are_run_until_the_culprits_are_alone(
    tmp_path: Path, engine: str
) -> None:
    """How often that takes grows with the logarithm; a culprit that is alone is tried again."""
    (tmp_path / "in").mkdir()
    for number in range(64):
        (tmp_path / "in" / f"{number}").touch()
    script = "echo $# >> calls; for f; do case $f in */17) exit 75;; esac; done"
    command = ("-o", "r.jsonl", "--bisect", "-X", "sh", "-c", script, "sh")
    retries = ("--retries", "1", "--retry-pause", "0", "--retry-on", "75")
    done = fsworkers("process", "in", "--engine", engine, *retries, *command, cwd=tmp_path)
    assert done.returncode == 1
    told = rows((tmp_path / "r.jsonl").read_bytes())
    assert [(one["path"], one["attempts"]) for one in told if one["status"] == "failed"] == [
        ("in/17", 2)
    ]
    assert len({one["path"] for one in told}) == 64
    calls = Counter(map(int, (tmp_path / "calls").read_text().split()))
    assert calls == {64: 2} | dict.fromkeys([32, 16, 8, 4, 2, 1], 3)
    values = [one["value"] for one in told if one["status"] == "done"]
    numbers = {one["call"] for one in values if isinstance(one, dict) and "call" in one}
    assert len(numbers) == 5  # of the halves that were done and are more than one


@pytest.mark.parametrize("engine", ["local", "inline"])
@pytest.mark.parametrize("is_halted", [False, True])
def test_no_half_is_begun_once_a_run_ends_early(
    tmp_path: Path, is_halted: bool, engine: str
) -> None:
    """What is left is done when the run is resumed."""
    (tmp_path / "in").mkdir()
    for number in range(64):
        (tmp_path / "in" / f"{number}").touch()
    script = "echo $# >> calls; [ -e mended ] || {{ sleep 0.1; exit 1; }}"
    halt = ("--halt", "now,fail=1") if is_halted else ()
    command = ("-o", "r.jsonl", "--bisect", "-X", "sh", "-c", script, "sh")
    run = subprocess.Popen(
        [*FSWORKERS, "process", "in", "--engine", engine, "-j1", *halt, *command],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
    )
    calls = tmp_path / "calls"
    with run:
        assert run.stderr is not None
        if not is_halted:
            wait_until(lambda: calls.exists() and calls.read_text().count("\n") == 2)
            run.send_signal(signal.SIGINT)
        said = run.stderr.read()
    assert (b"halted after too many failures: " if is_halted else b"interrupted: ") in said
    assert re.search(rb"64 files: (64|\d failed, 6\d) cancelled", said), said
    assert calls.read_text().count("\n") <= (14 if is_halted else 3)
    (tmp_path / "mended").touch()
    assert fsworkers("resume", cwd=tmp_path).returncode == 0
    statuses = Counter(one["status"] for one in rows((tmp_path / "r.jsonl").read_bytes()))
    assert statuses == {"done": 64}


def test_a_command_that_reads_the_file_gets_no_path(odd: Path) -> None:
    """It would read its argument instead, as many do."""
    done = fsworkers("process", "odd/a.txt", "--stdin", "-x", "tr", "a-z", "A-Z", cwd=odd)
    assert done.stdout == (odd / "odd" / "a.txt").read_bytes().upper()
    shown = fsworkers("process", "odd/a.txt", "-n", "--stdin", "-x", "tr", "a", "b", cwd=odd)
    assert shown.stdout == b"tr a b < odd/a.txt\n"


def test_a_dry_run_prints_the_commands(odd: Path) -> None:
    """Quoted for a shell, which then does the same."""
    done = fsworkers("process", "odd", "-n", "-x", "cat", cwd=odd)
    assert len(done.stdout.splitlines()) == len(ODD) + 1
    same = subprocess.run(["sh"], input=done.stdout, cwd=odd, capture_output=True, check=True)
    assert len(same.stdout) == sum(map(len, ODD))
    batch = fsworkers("process", "odd", "-n", "--batch-size", "5", "-X", "cat", cwd=odd)
    same = subprocess.run(["sh"], input=batch.stdout, cwd=odd, capture_output=True, check=True)
    assert len(same.stdout) == sum(map(len, ODD))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("-x", "has no command"),
        ("-x ; -q", "has no command"),
        ("--task checksum -x true", "either --task or -x"),
        ("--call a:b -X true", "either --call or -X"),
        ("-x true ; -X true", "one command"),
        ("-x echo {foo}", "no {foo}"),
        ("-x echo {", "not closed"),
        ("-x cp {} {out}", "add --to"),
        ("-x true ; --to x/{rel}", "has no {out}"),
        ("-x cp {} {out} --to {}", "the file itself"),
        ("-x cp {} {out} --to same", "--to same: '"),
        ("-x cp {} {out} --to odd/", "the name of a file"),
        ("-x cp {} {out} --to odd", "the name of a file"),
        ("-x true ; --retry-on abc", "--retry-on is 'abc'"),
        ("-x true ; --retries 0 --retry-on abc", "exit codes from 1 to 255"),
        ("-x true ; --retry-on 75", "give both"),
        ("-x no-such-program", "no such program"),
        ("-x true ; --bisect", "-X"),
        ("-X true ; --stdin", "-x"),
        ("--tag", "add -x"),
        ("--to x/{rel}", "-x CMD"),
        ("-x true ; -o r.jsonl --tag --format csv", "--tag is about"),
        ("-x true ; -o r.jsonl --format csv", "--format"),
        ("-x true ; --always", "--always"),
        ("-x true ; --results odd/a.txt/x", "a.txt is no directory"),
        ("-x true ; -j 0%", "workers is 0"),
        ("-x true ; -j +5%", "percentage"),
        ("-x true ; --max-rss much", "a size"),
        ("-x true ; --nice 20", "0 to 19"),
        ("-x true ; --memfree some", "a size"),
        ("--memfree 900T", "--memfree"),
        ("--load 0", "above 0"),
        ("--line-buffer", "add -x"),
        ("-x true ; --line-buffer --format csv", "--line-buffer is about"),
        ("-x true ; --line-buffer -k", "or -k"),
    ],
)
def test_bad_input_is_refused_in_one_line(
    odd: Path, arguments: str, message: str, refusing: Refusing
) -> None:
    """Nothing is started."""
    code, written, lines = refusing("odd", *arguments.split(), cwd=odd)
    assert (code, written, len(lines)) == (2, b"", 1), lines
    assert message in lines[0]


@pytest.mark.parametrize("option", ["-x", "-X"])
def test_a_quoted_command_is_refused_once(odd: Path, option: str, refusing: Refusing) -> None:
    """As others take it; what is a file itself, or named by one, is a program all the same."""
    code, _, lines = refusing("odd", option, "gzip -k {}", cwd=odd)
    assert (code, len(lines)) == (2, 1)
    assert "'gzip -k {}': a program with its arguments in one word" in lines[0]
    script = odd / "odd" / "sp ace.t"
    script.write_text("#!/bin/sh\necho ran\n")
    script.chmod(0o755)
    for program in ("{}", "./odd/{/}"):
        done = fsworkers("process", "odd/sp ace.t", "-x", program, cwd=odd)
        assert done.stdout == b"ran\n", done.stderr


def test_a_function_has_an_output_too(logs: Path) -> None:
    """It takes the path and where to write."""
    (logs / "mine.py").write_text(
        "import shutil\ndef copy(path, output): shutil.copy(path, output)\n"
    )
    done = fsworkers("process", "logs", "--call", "mine.py:copy", "--to", "c/{rel}", cwd=logs)
    assert done.returncode == 0, done.stderr
    assert len(list(logs.glob("c/*/*.log"))) == 40


def test_a_command_is_a_task_in_python(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a pool, and over a tree."""
    monkeypatch.chdir(logs)
    with Pool(2, timeout=0.5) as pool:
        word = Command(["sh", "-c", 'echo "$2"; [ "$1" != b ] || exit 3', "sh", "{}", "{#}"])
        told = {one.path: one for one in pool.map(word, ["a", "b"])}
        assert told["a"].value == {"exit": 0, "stdout": "1\n", "stderr": ""}
        assert (told["b"].status, told["b"].error) == ("failed", "exit 3")
        assert told["b"].value == {"exit": 3, "stdout": "2\n", "stderr": ""}
        with pytest.raises(RemoteError, match="exit 3"):
            told["b"].result()
        (late,) = pool.map(Command(["sh", "-c", "sleep 61", "{}"]), ["x"])
        assert late.status == "timed_out"
        future = pool.submit(Command(["sh", "-c", "exit 3", "{}"]), "x")
        assert isinstance(future.exception(), CommandFailed)
    summary = process_tree("logs", Command(["cp", "{}", "{out}"]), to="c/{rel}", output="r.jsonl")
    assert summary.done == 40
    assert len(list(logs.glob("c/*/*.log"))) == 40


@pytest.mark.parametrize(("options", "tag"), [((), b""), (("-k", "--tag"), b"odd/a.txt\t")])
def test_all_output_is_shown_beside_its_results(
    odd: Path, options: tuple[str, ...], tag: bytes
) -> None:
    """However long it is, also of a command that fails; its results stay."""
    count = 20_000
    done = fsworkers(
        "process", "odd/a.txt", "odd/b.tar.gz", *options, "-q", "--results", "r",
        "-x", "sh", "-c", f"case $1 in *.txt) seq {count}; seq {count} >&2; exit 3;; esac", "sh",
        cwd=odd,
    )  # fmt: skip
    numbers = [b"%d" % one for one in range(1, count + 1)]
    assert done.stdout.splitlines() == [tag + one for one in numbers]
    assert [one for one in done.stderr.splitlines() if one.startswith(tag)] == [
        tag + one for one in numbers
    ]
    for name in ("stdout", "stderr"):
        assert (odd / "r" / "a.txt" / name).read_bytes().splitlines() == numbers


def test_results_of_two_files_do_not_overwrite_each_other(logs: Path) -> None:
    """Below two PATHs there may be one relative path."""
    (logs / "logs" / "b" / "2.log").write_text("other")
    done = fsworkers("process", "logs/a", "logs/b", "--results", "r", "-q", "-x", "cat", cwd=logs)
    assert done.returncode == 1
    assert (logs / "r" / "2.log" / "stdout").read_bytes() == (
        logs / "logs" / "a" / "2.log"
    ).read_bytes()
    same = fsworkers("process", "logs", "--results", "logs", "-x", "cat", cwd=logs)
    assert same.returncode == 2


def test_of_two_files_with_one_output_the_second_fails(logs: Path) -> None:
    """Where the list of files is not known before."""
    (logs / "logs" / "b" / "2.log").write_text("other")
    listed = "logs/a/2.log\nlogs/b/2.log\n"
    done = fsworkers(
        "process", "--files-from", "-", "-x", "cp", "{}", "{out}", "--to", "c/{/}",
        cwd=logs, stdin=listed.encode(),
    )  # fmt: skip
    assert done.returncode == 1
    assert (
        b"failed: logs/b/2.log: its output 'c/2.log' is that of 'logs/a/2.log' too" in done.stderr
    )
    assert (logs / "c" / "2.log").read_bytes() == (logs / "logs" / "a" / "2.log").read_bytes()


def test_a_line_tells_now_and_then_what_each_worker_is_at(odd: Path) -> None:
    """Where there is no terminal; of a call with many files, the first."""
    for option in ("-x", "-X"):
        done = fsworkers(
            "process", "odd/a.txt", "--progress-every", "0.5s", option, "sh", "-c", "sleep 3", "sh",
            cwd=odd,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        lines = done.stderr.decode().splitlines()
        assert re.fullmatch(r"0 files .*, 1 workers?|0 of 1 files .*", lines[0])
        assert any(re.fullmatch(r"  worker 0: 0:0[1-3] on odd/a.txt", line) for line in lines)
    quiet = fsworkers(
        "process", "odd/a.txt", "--progress-every", "0.1s", "-q", "-x", "sh", "-c", "sleep 1", "sh",
        cwd=odd,
    )  # fmt: skip
    assert quiet.stderr == b""


@pytest.mark.parametrize("path", [None, "/a:/b"])
def test_commands_have_the_environment_of_the_caller(odd: Path, path: str | None) -> None:
    """How workers find this package is no matter of theirs."""
    package = Path(__file__).parents[3]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if path is not None:
        environment["PYTHONPATH"] = f"{package}:{path}"
    shown = subprocess.run(
        [sys.executable, "-m", "fsworkers", "process", str(odd), "--limit", "1", "-q", "-j1",
         "-x", "sh", "-c", "env"],
        cwd=package, env=environment, capture_output=True, check=True,
    )  # fmt: skip
    told = dict(line.split("=", 1) for line in shown.stdout.decode().splitlines() if "=" in line)
    assert told.get("PYTHONPATH") == environment.get("PYTHONPATH")
