"""A command as a task: what it leaves, how it is ended."""

from __future__ import annotations

import errno
import os
import posix
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from fsworkers.errors import BadOption, BadSetting, BadTemplate, CommandFailed, TaskNotFound
from fsworkers.guard import dismiss
from fsworkers.tasks import child
from fsworkers.tasks.child import KEPT_BYTES, Stream
from fsworkers.tasks.command import BatchCommand, Command
from fsworkers.tasks.fingerprint import fingerprint


@pytest.fixture(autouse=True)
def no_guard_is_left() -> Iterator[None]:
    """What waits for the end of this process has no part in what a test leaves."""
    yield
    dismiss()


def shell(script: str, **settings: object) -> Command:
    """A command that runs a script with the path as its first argument."""
    return Command(["sh", "-c", script, "sh", "{}"]).with_settings(**settings)


def test_the_value_is_what_a_command_left(tmp_path: Path) -> None:
    """Code, output, errors; the path arrives byte for byte."""
    value = shell('printf "%s" "$1"; echo no >&2')("a\n-b")
    assert value == {"exit": 0, "stdout": "a\n-b", "stderr": "no\n"}
    assert shell("cat; pwd | wc -l")("x")["stdout"].strip() == "1"


def test_arguments_are_what_subprocess_takes(tmp_path: Path) -> None:
    """Texts, bytes that are no UTF-8, and paths; nothing else, and no single text."""
    odd = tmp_path / os.fsdecode(b"\xff")
    odd.write_bytes(b"x")
    assert Command(["cat", bytes(odd), "{}"])(odd)["stdout"] == "xx"
    assert Command([b"cat", odd, b"{}"])(bytes(odd))["stdout"] == "xx"
    assert Command([Path("/bin/cat"), "{}"]).program == "/bin/cat"
    for wrong in (["cat", 5], b"cat", Path("cat"), []):
        with pytest.raises(BadSetting, match=r"^argv is "):
            Command(wrong)  # type: ignore[arg-type]


def test_a_command_that_fails_says_so() -> None:
    """With its code or signal, and the last line of what it said."""
    with pytest.raises(CommandFailed, match=r"^exit 3: last$") as caught:
        shell("echo first >&2; echo last >&2; echo >&2; exit 3")("x")
    assert caught.value.value == {"exit": 3, "stdout": "", "stderr": "first\nlast\n\n"}
    assert caught.value.report.endswith("exit 3\nfirst\nlast")
    assert not caught.value.may_pass
    with pytest.raises(CommandFailed, match=r"^killed by SIGSEGV$"):
        shell("kill -SEGV $$")("x")
    with pytest.raises(CommandFailed) as caught:
        Command(["sh", "-c", "exit 75", "{}"], retry_on=[75])("x")
    assert caught.value.may_pass


def test_output_is_bounded_and_what_is_no_text_is_kept() -> None:
    """64 KiB a stream, said when cut, never in the midst of a character."""
    value = shell("head -c 300000 /dev/zero | tr '\\0' x; printf '\\377' >&2")("x")
    assert (len(value["stdout"]), value["stdout_bytes"]) == (65_536, 300_000)
    assert value["stderr_b64"] == "/w=="
    value = shell("printf x; for i in $(seq 40000); do printf é; done")("x")
    assert value["stdout"] == "x" + "é" * 32_767
    with pytest.raises(CommandFailed, match=r"^exit 1: the end$"):
        shell("head -c 300000 /dev/zero >&2; echo >&2; echo the end >&2; exit 1")("x")


def test_the_last_line_is_whole_where_little_is_beyond_what_is_kept() -> None:
    """It may begin before that, and end behind."""
    stream = Stream()
    stream.add(b"x" * (KEPT_BYTES - 20) + b"\nthe disk ")
    stream.add(b"is full, they say")
    assert stream.end.endswith(b"\nthe disk is full, they say")
    assert len(stream.kept) == KEPT_BYTES


def test_a_command_has_no_terminal() -> None:
    """One that asks there fails: it would be stopped, as nobody waits in the foreground for it."""
    code = "import os; print(os.getsid(0) == os.getpgrp() == os.getpid())"
    assert Command([sys.executable, "-c", code])(".")["stdout"] == "True\n"


def test_a_script_without_a_first_line_is_run_by_the_shell(tmp_path: Path) -> None:
    """As execvp(3) does."""
    script = tmp_path / "script"
    script.write_text('echo "it is $1"\n')
    script.chmod(0o755)
    assert Command([str(script)])("x")["stdout"] == "it is x\n"


def test_a_program_that_is_not_there_is_refused_with_what_is_near(tmp_path: Path) -> None:
    """Before anything is run."""
    with pytest.raises(TaskNotFound, match=r"no such program; near it there is .*sleep"):
        Command(["sleeep"])
    (tmp_path / "plain").touch()
    with pytest.raises(TaskNotFound, match="chmod"):
        Command([str(tmp_path / "plain")])
    with pytest.raises(TaskNotFound, match="directory"):
        Command([str(tmp_path)])
    with pytest.raises(BadSetting):
        Command([])
    with pytest.raises(BadOption, match="--to"):
        Command(["cp", "{}", "{out}"])("x")


def test_time_ends_the_whole_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """TERM first; KILL for what does not listen."""
    monkeypatch.setattr(child, "KILL_S", 0.2)
    with pytest.raises(CommandFailed, match=r"took longer than 0.1 s") as caught:
        shell("sleep 61.25 & sleep 61.25; exit", timeout_s=0.1)("x")
    assert caught.value.is_overdue
    assert "SIGTERM" in caught.value.report
    with pytest.raises(CommandFailed) as caught:
        shell('trap "" TERM; while :; do sleep 61.25; done', timeout_s=0.1)("x")
    assert "SIGKILL" in caught.value.report
    assert not running("61.25")


def running(word: str) -> list[psutil.Process]:
    """Processes with such an argument."""
    return [
        one
        for one in psutil.process_iter(["cmdline", "status"])
        if word in (one.info["cmdline"] or ()) and one.info["status"] != psutil.STATUS_ZOMBIE
    ]


def test_what_a_command_leaves_behind_is_ended_and_a_daemon_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A daemon has a session of its own; the command goes on when that is so."""
    mark = tmp_path / "mark"
    daemonize = (
        f"setsid sh -c 'echo > {mark}; exec sleep 63.25' & "
        f"while [ ! -e {mark} ]; do sleep 0.01; done; echo started"
    )
    monkeypatch.setattr(child, "LEFT_S", 0.05)
    began = time.monotonic()
    assert shell("sleep 62.25 & echo started")("x")["stdout"] == "started\n"
    assert not running("62.25")
    assert shell(daemonize)("x")["stdout"] == "started\n"
    assert time.monotonic() - began < 30
    while not (daemons := running("63.25")):  # its shell becomes it
        assert time.monotonic() - began < 30
    (daemon,) = daemons
    daemon.kill()


def test_a_command_that_closes_its_output_is_waited_for() -> None:
    """Its end is what counts."""
    with pytest.raises(CommandFailed, match="exit 4"):
        shell("exec >&- 2>&-; sleep 0.1; exit 4")("x")


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EMFILE])
def test_an_old_kernel_is_asked_again_and_again(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing tells the end of a process; any other refusal ends the command."""

    def refuse(_pid: int) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(posix, "pidfd_open", refuse)
    command = shell("sleep 0.05; echo done; sleep 64.25" if number == errno.EMFILE else "echo done")
    if number == errno.ENOSYS:
        assert command("x")["stdout"] == "done\n"
    else:
        with pytest.raises(OSError, match="Too many"):
            command("x")
        assert not running("64.25")


def test_too_much_memory_ends_a_command() -> None:
    """And says so."""
    script = "x=$(head -c 40000000 /dev/zero | tr '\\0' x); sleep 61; echo $x"
    with pytest.raises(CommandFailed, match="more memory than 20,000,000 bytes"):
        shell(script, max_rss_bytes=20_000_000)("x")


def test_stdin_and_results(tmp_path: Path) -> None:
    """The file itself is read; all that is written is kept on disk."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_text("hello")
    command = Command(
        ["sh", "-c", "cat; cat >&2; exit 2", "{}"],
        stdin=True,
        results=tmp_path / "out",
        roots=[str(tmp_path / "in")],
    )
    with pytest.raises(CommandFailed) as caught:
        command(str(tmp_path / "in" / "a"))
    assert caught.value.value == {"exit": 2, "stdout": "hello", "stderr": ""}
    kept = {one.name: one.read_text() for one in (tmp_path / "out" / "a").iterdir()}
    assert kept == {"stdout": "hello", "stderr": "", "exit": "2\n"}


def test_no_signal_is_ignored_in_a_command() -> None:
    """Python ignores SIGPIPE, a command must not."""
    assert signal.getsignal(signal.SIGPIPE) is signal.SIG_IGN
    assert shell("(sleep 0.1; yes) | head -1; exit 0")("x") == {
        "exit": 0,
        "stdout": "y\n",
        "stderr": "",
    }


def test_batches_take_one_argument_with_templates() -> None:
    """It is repeated for each file, with what is around it."""
    assert BatchCommand(["echo", "a", "x{/}y", "b"]).arguments_of(["d/1", "2"]) == [
        b"echo", b"a", b"x1y", b"x2y", b"b",
    ]  # fmt: skip
    for argv in (["echo", "{}", "{}"], ["{}"], ["echo", "{out}"], ["echo", "{#}"]):
        with pytest.raises(BadTemplate):
            BatchCommand(argv)


def test_the_command_is_the_fingerprint() -> None:
    """With its output, and without how it is run."""
    first = Command(["sort", "{}"])
    assert fingerprint(first, options={}) == "command sort '{}'"
    assert fingerprint(first.with_settings(timeout_s=3.0), options={}) == "command sort '{}'"
    assert "t/{rel}" in fingerprint(Command(["cp", "{}", "{out}"], to="t/{rel}"), options={})


def test_descriptors_all_come_back(tmp_path: Path) -> None:
    """Also where a command can't be started."""
    shell("true")("x")
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(CommandFailed, match="can't be started"):
        Command(["true", "{}"])("x" * 200_000)
    with pytest.raises(CommandFailed, match="can't be read"):
        Command(["cat"], stdin=True)(str(tmp_path / "missing"))
    assert set(os.listdir("/proc/self/fd")) == before
