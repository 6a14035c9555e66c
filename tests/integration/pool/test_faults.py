"""A pool whose workers die, hang, stop or never start."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path

import psutil
import pytest

from fsworkers import Pool
from fsworkers.errors import DirectoryNotPrivate, WorkerStartError
from fsworkers.pool.master.socket_directory import SocketDirectory, make_private_directory
from tests.integration.pool import functions_for_tests as functions


def workers() -> list[psutil.Process]:
    """The worker processes of this process."""
    return [
        child for child in psutil.Process().children() if "fsworkers.pool.worker" in child.cmdline()
    ]


def run_script(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python source read from stdin, as a user's script would be."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-"],
        input=textwrap.dedent(script),
        capture_output=True,
        text=True,
        timeout=50,
        env=os.environ | environment,
        check=False,
    )


def test_killed_worker_costs_no_job() -> None:
    """After SIGKILL in mid-run each job still has one outcome, and the worker is replaced."""
    with Pool(2) as pool:
        values = []
        for outcome in pool.map(functions.wait, [0.002] * 500):
            assert outcome.status == "done"
            values.append(outcome.path)
            if len(values) == 50:
                os.kill(workers()[0].pid, signal.SIGKILL)
        assert len(values) == 500
        assert pool.statistics().restarts == 1
        assert len(workers()) == 2


def test_all_workers_killed_at_once_cost_no_job() -> None:
    """Even when every worker dies together, the run goes on with new ones."""
    with Pool(2) as pool:
        statuses = []
        for outcome in pool.map(functions.wait, [0.002] * 300):
            statuses.append(outcome.status)
            if len(statuses) == 30:
                for worker in workers():
                    worker.kill()
        assert statuses == ["done"] * 300


def test_job_that_crashes_its_worker_is_the_only_one() -> None:
    """A segmentation fault on one item: that one is ``crashed`` with the signal's name."""
    with Pool(2) as pool:
        outcomes = list(pool.map(functions.segfault_on_zero, range(300)))
    crashed = [outcome for outcome in outcomes if outcome.status != "done"]
    assert len(outcomes) == 300
    assert [(one.path, one.status, one.attempts) for one in crashed] == [(0, "crashed", 2)]
    assert "SIGSEGV" in str(crashed[0].error)


def test_task_that_kills_every_worker_ends() -> None:
    """When each job kills its worker, each is ``crashed`` and the run ends."""
    with Pool(2) as pool:
        outcomes = list(pool.map(functions.die, range(6)))
    assert [(one.status, "SIGKILL" in str(one.error)) for one in outcomes] == [
        ("crashed", True)
    ] * 6


@pytest.mark.parametrize("function", [functions.wait, functions.hang_holding_the_gil])
def test_timed_out_job_is_the_only_one(function: object) -> None:
    """A job over its time is ended with its worker, also while C code holds the GIL."""
    items = [0, *[1] * 40] if function is functions.hang_holding_the_gil else [30, *[0] * 40]
    with Pool(2, timeout=0.4, grace=1.0) as pool:
        outcomes = list(pool.map(function, items))  # type: ignore[call-overload]
    others = [one.status for one in outcomes if one.path != items[0]]
    assert [one.status for one in outcomes if one.path == items[0]] == ["timed_out"]
    assert others == ["done"] * 40


def test_stopped_worker_is_replaced() -> None:
    """A worker under SIGSTOP gives no sign of life, is killed, and its jobs run elsewhere."""
    with Pool(2, grace=1.0) as pool:
        statuses = []
        for outcome in pool.map(functions.wait, [0.005] * 400):
            statuses.append(outcome.status)
            if len(statuses) == 20:
                os.kill(workers()[0].pid, signal.SIGSTOP)
        assert statuses == ["done"] * 400


def test_transient_failure_is_retried() -> None:
    """A failure that may pass gets the further attempts that were asked for; others get none."""

    def fail_in_passing(error_number: int) -> None:
        raise OSError(error_number, "in passing")

    with Pool(1, retries=2) as pool:
        busy, missing = pool.map(fail_in_passing, [16, 2], ordered=True)
        assert (busy.status, busy.attempts) == ("failed", 3)
        assert (missing.status, missing.attempts) == ("failed", 1)
        assert pool.statistics().retries == 2


def test_workers_that_cannot_start_are_reported_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """When no worker gets ready the error carries what the workers said."""
    (tmp_path / "sitecustomize.py").write_text("raise SystemExit('broken on purpose')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    began = time.monotonic()
    with pytest.raises(WorkerStartError, match="broken on purpose"), Pool(2) as pool:
        list(pool.map(functions.square, [1]))
    assert time.monotonic() - began < 10


def test_worker_that_never_gets_ready_holds_up_no_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One worker hangs at its start: the other one begins at once, and there is a warning."""
    gate = tmp_path / "first"
    (tmp_path / "sitecustomize.py").write_text(
        textwrap.dedent(f"""
            import os, signal
            try:
                os.close(os.open({str(gate)!r}, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                pass
            else:
                signal.pause()
        """)
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    began = time.monotonic()
    with Pool(2, ready_timeout=1.5) as pool:
        everything = pool.map(functions.wait, [0.05] * 50)
        outcomes = [next(everything)]
        assert time.monotonic() - began < 1.5
        outcomes += everything
    assert [outcome.status for outcome in outcomes] == ["done"] * 50
    assert "was not ready within 1.5 s" in caplog.text


@pytest.mark.parametrize("task", ["wait", "hold the GIL", "start a process"])
def test_no_process_outlives_a_killed_master(tmp_path: Path, task: str) -> None:
    """After SIGKILL of the caller's process nothing of its pool is left, whatever its jobs do."""
    ready = tmp_path / "ready"
    script = f"""
        import ctypes, pathlib, subprocess, time
        from fsworkers import Pool

        def work(number):
            pathlib.Path({str(ready)!r}, str(number)).touch()
            if {task!r} == "hold the GIL":
                ctypes.PyDLL(None).sleep(60)
            elif {task!r} == "start a process":
                subprocess.run(["sleep", "60"])
            else:
                time.sleep(60)

        ready = pathlib.Path({str(ready)!r}).mkdir()
        list(Pool(2).map(work, range(2)))
    """
    master = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], env=os.environ | {"TMPDIR": str(tmp_path)}
    )
    try:
        expected = 4 if task == "start a process" else 2
        deadline = time.monotonic() + 30
        orphans: list[psutil.Process] = []
        while len(orphans) < expected or len(list(ready.glob("*"))) < 2:
            assert time.monotonic() < deadline
            with contextlib.suppress(psutil.NoSuchProcess):  # one that ended while we looked
                orphans = psutil.Process(master.pid).children(recursive=True)
    finally:
        master.kill()
        master.wait()
    _, left = psutil.wait_procs(orphans, timeout=1.0)
    # Where process 1 collects no orphans they stay as zombies, which hold and do nothing.
    assert all(process.status() == psutil.STATUS_ZOMBIE for process in left)
    assert not list(tmp_path.glob("fsw-*"))


def test_master_killed_while_workers_start_leaves_nothing(tmp_path: Path) -> None:
    """No moment of the start slips through: workers that come up without a master end at once."""
    for delay_s in (0.0, 0.01, 0.05, 0.1, 0.15, 0.2, 0.3):
        master = subprocess.Popen(
            [sys.executable, "-c", "from fsworkers import Pool; list(Pool(2).map(abs, range(9)))"],
            env=os.environ | {"TMPDIR": str(tmp_path)},
            stderr=subprocess.DEVNULL,
        )
        try:
            process = psutil.Process(master.pid)
            deadline = time.monotonic() + 20
            while not process.children() and master.poll() is None:
                assert time.monotonic() < deadline
            threading.Event().wait(delay_s)
            orphans = process.children() if master.poll() is None else []
        finally:
            master.kill()
            master.wait()
        _, left = psutil.wait_procs(orphans, timeout=2.0)
        assert all(process.status() == psutil.STATUS_ZOMBIE for process in left)
        assert not list(tmp_path.glob("fsw-*"))


@pytest.mark.parametrize(
    "step",
    [
        "os.posix_spawn",
        "links.os.mkdir",
        "links.os.stat",
        "process.WorkerProcess.let_go_on",
        "links.Links.connect",
    ],
)
@pytest.mark.parametrize("is_before", [True, False])
def test_master_killed_at_a_step_of_a_start_leaves_nothing(
    tmp_path: Path, step: str, is_before: bool
) -> None:
    """Whichever of the two is there, it knows of the directory in which they are to meet."""
    where, _, name = step.rpartition(".")
    master = run_script(f"""
        import os, tempfile
        from fsworkers import Pool
        from fsworkers.pool.master import links, process
        tempfile.tempdir = {str(tmp_path)!r}
        real = {where}.{name}
        def die(*given, **named):
            if {is_before}:
                os.kill(os.getpid(), 9)
            real(*given, **named)
            os.kill(os.getpid(), 9)
        {where}.{name} = die
        list(Pool(1).map(abs, range(9)))
    """)
    assert master.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 5
    while list(tmp_path.iterdir()):
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


def test_script_on_stdin_needs_no_main_guard() -> None:
    """Code read from stdin, without a main guard, with its own functions and classes."""
    done = run_script("""
        from fsworkers import Pool
        class Result:
            def __init__(self, n): self.n = n
        def double(n): return Result(2 * n)
        async def triple(n): return 3 * n
        with Pool(2) as pool:
            doubled = [outcome.value for outcome in pool.map(double, range(10), ordered=True)]
            assert all(isinstance(one, Result) for one in doubled)
            print(sum(one.n for one in doubled), pool.submit(triple, 5).result())
    """)
    assert (done.stdout, done.stderr, done.returncode) == ("90 15\n", "", 0)


def test_unclosed_pool_finishes_what_was_submitted() -> None:
    """At interpreter exit with an open pool, submitted calls are completed and all ends quietly."""
    done = run_script("""
        from fsworkers import Pool
        pool = Pool(2)
        future = pool.submit(pow, 2, 10)
        future.add_done_callback(lambda future: print(future.result(), flush=True))
    """)
    assert (done.stdout, done.stderr, done.returncode) == ("1024\n", "", 0)


def test_files_of_the_working_directory_shadow_nothing(tmp_path: Path) -> None:
    """A user's file named like a module of the standard library does not break the workers."""
    (tmp_path / "queue.py").write_text("raise RuntimeError('not the real one')\n")
    (tmp_path / "zmq.py").write_text("raise RuntimeError('not the real one')\n")
    done = subprocess.run(
        [
            sys.executable,
            "-P",
            "-c",
            "from fsworkers import Pool\nwith Pool(1) as p: print(len(list(p.map(len, ['a']))))",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_more_workers_than_the_limit_carries_are_capped() -> None:
    """200 workers at a limit of 64 descriptors: fewer are started, and every job is done."""
    done = run_script("""
        import resource
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        from fsworkers import Pool
        with Pool(200) as pool:
            statuses = [outcome.status for outcome in pool.map(abs, range(1000))]
            print(statuses.count("done"), 2 <= pool.worker_count < 12)
    """)
    assert (done.stdout, done.returncode) == ("1000 True\n", 0)
    assert "of 200 workers: " in done.stderr


def test_caller_out_of_descriptors_loses_nothing() -> None:
    """A worker dies while its master has no descriptor left: the replacement waits its turn."""
    done = run_script("""
        import os, resource, signal
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        from fsworkers import Pool
        with Pool(2) as pool:
            outcomes, hoard = [], []
            wait = lambda _: __import__("threading").Event().wait(0.002)
            for outcome in pool.map(wait, range(400)):
                outcomes.append(outcome.status)
                if len(outcomes) == 20:
                    try:
                        while True:
                            hoard.append(os.open("/dev/null", os.O_RDONLY))
                    except OSError:
                        pass
                    for worker in list(pool._master._fleet._workers.values()):
                        os.kill(worker.pid, signal.SIGKILL)
                        break
                if len(outcomes) == 100:
                    while hoard:
                        os.close(hoard.pop())
            print(len(outcomes), set(outcomes), pool.statistics().restarts)
    """)
    assert (done.stdout, done.stderr) == ("400 {'done'} 1\n", "")


def test_only_worker_dies_while_the_caller_is_out_of_descriptors() -> None:
    """Its replacement waits as long as it takes, several ready timeouts here."""
    done = run_script("""
        import os, resource, signal, threading
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        from fsworkers import Pool
        with Pool(1, ready_timeout=1.5) as pool:
            outcomes, hoard = [], []
            def let_go():
                while hoard:
                    os.close(hoard.pop())
            wait = lambda _: __import__("threading").Event().wait(0.002)
            for outcome in pool.map(wait, range(400)):
                outcomes.append(outcome.status)
                if len(outcomes) == 20:
                    try:
                        while True:
                            hoard.append(os.open("/dev/null", os.O_RDONLY))
                    except OSError:
                        pass
                    (worker,) = pool._master._fleet._workers.values()
                    os.kill(worker.pid, signal.SIGKILL)
                    threading.Timer(4, let_go).start()
            print(len(outcomes), set(outcomes), pool.statistics().restarts)
    """)
    assert (done.stdout, done.stderr) == ("400 {'done'} 1\n", "")


def test_too_low_a_limit_is_refused() -> None:
    """Where not even a ZeroMQ context fits there is an error, and no abort."""
    done = run_script("""
        import os, resource
        import fsworkers.pool.executor
        from fsworkers import Pool
        resource.setrlimit(resource.RLIMIT_NOFILE, (12, 12))
        try:
            Pool(1).start()
        except OSError as error:
            print(type(error).__name__, error)
    """)
    assert done.stdout.startswith("PoolDoesNotFit a pool needs")
    assert done.returncode == 0


@pytest.mark.parametrize("free", range(15, 26))
def test_few_descriptors_are_enough_or_too_few_at_once(free: int) -> None:
    """The master counts all that its first worker takes: no pool waits for one in vain."""
    done = run_script(f"""
        import os, resource
        import fsworkers.pool.executor
        from fsworkers import Pool
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
        open_count = len(os.listdir("/proc/self/fd")) - 1  # this took one itself
        held = [os.dup(0) for _ in range(100 - open_count - {free})]
        try:
            with Pool(1) as pool:
                print([one.status for one in pool.map(abs, [1])])
        except OSError as error:
            print(type(error).__name__, error)
    """)
    expected = f"PoolDoesNotFit a pool needs 21 descriptors and {free} are free"
    assert done.stdout.startswith("['done']" if free >= 21 else expected), done.stdout


def test_worker_without_room_for_its_sockets_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its limit is lower than its master's: one line, not a traceback of each worker."""
    (tmp_path / "sitecustomize.py").write_text(
        "import resource, sys\n"
        "if 'fsworkers.pool.worker' in sys.orig_argv:\n"
        "    resource.setrlimit(resource.RLIMIT_NOFILE, (15, 15))\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = run_script("""
        from fsworkers import Pool
        try:
            with Pool(2) as pool:
                list(pool.map(abs, [1]))
        except Exception as error:
            print(str(error).splitlines()[1:])
    """)
    line = "fsworkers: a worker needs 19 descriptors: raise its limit of 15"
    assert (done.stdout, "Traceback" in done.stderr) == (f"{[line]}\n", False)


def test_sockets_can_be_reached_only_while_they_meet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the workers are connected there is no path left that leads to them."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Pool(2) as pool:
        list(pool.map(abs, [1]))
        until = time.monotonic() + 10  # one worker has answered; the other may still be starting
        while list(tmp_path.iterdir()):
            assert time.monotonic() < until
            threading.Event().wait(0.01)
        assert len(list(pool.map(abs, range(1000)))) == 1000
        assert not list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_no_other_user_can_connect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the moment in which a worker's sockets have paths, these are closed to others."""
    tmp_path.chmod(0o755)
    monkeypatch.setattr(tempfile, "tempdir", tempfile.mkdtemp(dir="/tmp"))
    os.chmod(tempfile.gettempdir(), 0o777)
    place = SocketDirectory()
    place.make()
    directory = place.path
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"{directory}/lane")
            listener.listen()
            os.chmod(f"{directory}/lane", 0o777)
            connect = f"""
                import os, socket
                os.setuid(65534)
                socket.socket(socket.AF_UNIX).connect({directory + "/lane"!r})
            """
            done = run_script(connect)
    finally:
        shutil.rmtree(tempfile.gettempdir())
    assert done.returncode == 1
    assert "PermissionError" in done.stderr


def test_directories_that_nobody_has_any_more_are_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Master and worker were killed together: a later pool cleans up, and touches nothing else."""
    root = tempfile.mkdtemp(dir="/tmp")
    monkeypatch.setattr(tempfile, "tempdir", root)
    places = [SocketDirectory() for _ in range(4)]
    for place in places:
        place.make()
        Path(place.path, "lane").touch()
    in_use = places.pop()
    others = {"fsw-notes", "fsw-0123456789abcdef"}
    for name in others:
        os.mkdir(f"{root}/{name}", 0o700)
        Path(root, name, "precious").touch()
    an_hour_ago = time.time() - 3600
    for name in (*others, *(place.path for place in places)):
        os.utime(os.path.join(root, name), (an_hour_ago, an_hour_ago))
    with Pool(1) as pool:
        list(pool.map(abs, [1]))
    left = set(os.listdir(root))
    shutil.rmtree(root)
    assert left == others | {os.path.basename(in_use.path)}


def test_directory_open_to_others_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a file system that keeps no permissions, no socket is put where others can reach it."""
    mkdir = os.mkdir

    def make_open_directory(path: str, mode: int) -> None:
        mkdir(path, mode)
        os.chmod(path, 0o755)

    monkeypatch.setattr(os, "mkdir", make_open_directory)
    with pytest.raises(DirectoryNotPrivate, match="mode 0755"):
        make_private_directory(str(tmp_path / "fsw-open"))
    assert not list(tmp_path.iterdir())


def test_directory_that_cannot_be_made_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A temporary directory that has gone ends the run with a reason, and no hang."""
    # A short name: instead of one that is too long for a socket's address another is taken.
    monkeypatch.setattr(tempfile, "tempdir", f"/gone-{os.getpid()}")
    with Pool(2) as pool, pytest.raises(WorkerStartError, match="No such file"):
        list(pool.map(abs, [1]))


def test_worker_that_is_not_wanted_any_more_says_nothing(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its directory goes a moment before it is killed: no error of it reaches the user."""
    real = SocketDirectory.make
    made: list[str] = []

    def make(directory: SocketDirectory) -> None:
        if made:
            real(directory)
        made.append(directory.path)

    monkeypatch.setattr(SocketDirectory, "make", make)
    with Pool(1) as pool:
        assert [one.status for one in pool.map(abs, range(9))] == ["done"] * 9
    assert len(made) == 2
    assert capfd.readouterr() == ("", "")
