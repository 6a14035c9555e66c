"""How things end: scripts with an open pool, forked children, values that end who reads them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from fsworkers import Pool
from fsworkers.errors import PoolClosed
from tests.integration.pool import functions_for_tests as functions

if TYPE_CHECKING:
    from collections.abc import Iterator


def run_script(script: str, timeout: float = 20) -> tuple[str, str]:
    """What a script prints, and what it says on stderr."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=True,
    )
    return done.stdout, done.stderr


@pytest.mark.parametrize("drawn", ["next(results)", "[next(results) for _ in range(500)]", "0"])
def test_script_ends_with_a_half_drawn_map(drawn: str) -> None:
    """Nobody will draw the rest: the interpreter's exit does not wait for it."""
    began = time.monotonic()
    run_script(f"""
        from fsworkers import Pool
        pool = Pool(2)
        results = pool.map(abs, range(100_000))
        {drawn}
    """)
    assert time.monotonic() - began < 5


def test_idle_worker_that_was_stopped_does_not_keep_its_pool() -> None:
    """It can't hear that it is to end, and nothing else is expected of it."""
    began = time.monotonic()
    with Pool(2) as pool:
        assert len(list(pool.map(functions.wait, [0.01] * 60))) == 60
        for child in psutil.Process().children():
            child.send_signal(signal.SIGSTOP)
    assert time.monotonic() - began < 10


def test_what_was_submitted_is_finished_at_exit() -> None:
    """As concurrent.futures promises."""
    said, _ = run_script("""
        import time
        from fsworkers import Pool
        pool = Pool(1)
        pool.submit(time.sleep, 0.3).add_done_callback(lambda done: print("done", done.result()))
    """)
    assert said == "done None\n"


def test_submit_in_an_exit_handler_ends() -> None:
    """With a result where the pool still works, else with the error of a pool that is closed."""
    said, _ = run_script("""
        import atexit
        def late():
            try:
                print(pool.submit(abs, -5).result(timeout=10))
            except Exception as error:
                print(type(error).__name__)
        atexit.register(late)
        from fsworkers import Pool
        pool = Pool(1)
        pool.submit(abs, 1).result()
    """)
    assert said in {"5\n", "PoolClosed\n"}


class EndsWhoReadsIt:
    """Unpickling it raises SystemExit."""

    def __reduce__(self) -> tuple[object, tuple[int]]:
        return sys.exit, (3,)


def test_value_that_ends_who_reads_it_is_one_failure() -> None:
    """A SystemExit from unpickling or from a callback costs one result, and the pool lives."""
    with Pool(1) as pool:
        with pytest.raises(SystemExit):
            pool.submit(EndsWhoReadsIt).result(timeout=10)
        (outcome,) = pool.map(lambda _: EndsWhoReadsIt(), [1])
        assert (outcome.status, "SystemExit" in str(outcome.error)) == ("failed", True)
        future = pool.submit(functions.wait, 0.1)
        future.add_done_callback(lambda _: sys.exit(1))
        assert future.result(timeout=10) == 0.1
        assert pool.submit(abs, -1).result(timeout=10) == 1


def test_forked_child_cannot_draw_from_its_parents_map() -> None:
    """It is told so, and the parent's iterator goes on."""
    with Pool(1) as pool:
        results = pool.map(abs, range(20))
        next(results)
        child = os.fork()
        if child == 0:
            try:
                list(results)
            except PoolClosed:
                os._exit(7)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert len(list(results)) == 19


def test_map_never_begun_holds_nothing_up() -> None:
    """Its items are not drawn, and the pool goes when nobody has it any more."""
    drawn: list[int] = []

    def items() -> Iterator[int]:
        drawn.append(1)
        yield 1

    with Pool(1) as pool:
        never = pool.map(abs, items())
        assert len(list(pool.map(abs, range(10)))) == 10
    assert drawn == []
    del never


def leave_a_child(number: int) -> int:
    """Fork a child that lives on."""
    if number == 0 and os.fork() == 0:
        os.setsid()
        time.sleep(20)  # noqa: TID251
        os._exit(0)
    return number


def crash_beside_a_child(number: int) -> int:
    """The same, and die."""
    leave_a_child(number)
    if number == 0:
        os.abort()
    return number


def test_child_that_lives_on_holds_nothing_up() -> None:
    """A child that a task has forked does not keep the worker's end from being noticed."""
    began = time.monotonic()
    with Pool(2) as pool:
        assert {one.status for one in pool.map(leave_a_child, range(50))} == {"done"}
        outcomes = list(pool.map(crash_beside_a_child, range(5)))
    assert [one.status for one in sorted(outcomes, key=lambda one: one.path)] == [
        "crashed",
        *["done"] * 4,
    ]
    assert time.monotonic() - began < 15


def test_submit_to_a_killed_pool_fails_at_once() -> None:
    """Nobody waits for a future that nobody will fulfil."""
    with Pool(1) as pool:
        pool.submit(abs, 1).result(timeout=10)
        pool.kill()
        with pytest.raises(PoolClosed):
            pool.submit(abs, 1)
