"""``Pool.map`` with real workers."""

from __future__ import annotations

import functools
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fsworkers import Pool
from fsworkers.errors import PoolClosed, TaskLoadError, UnpicklableTask
from fsworkers.pool.outcomes import outcomes_of
from tests.integration.pool import functions_for_tests as functions


@pytest.fixture(scope="module")
def pool():
    """A pool for the tests that leave it as it was."""
    with Pool(2) as pool:
        list(pool.map(functions.wait, [0.2] * 4))  # until both are there
        yield pool


def test_every_item_has_one_outcome(pool: Pool) -> None:
    """A few thousand jobs come back once each, with all that an outcome holds."""
    outcomes = list(pool.map(functions.square, range(3000)))
    assert sorted(outcome.result() for outcome in outcomes) == [n * n for n in range(3000)]
    assert {outcome.status for outcome in outcomes} == {"done"}
    assert {outcome.attempts for outcome in outcomes} == {1}
    assert {outcome.worker for outcome in outcomes} == {0, 1}


def test_a_pool_tells_what_has_happened() -> None:
    """From the start of its worker to the answer, with what failed."""
    with Pool(1) as pool:
        list(pool.map(int, ["no number"]))
        events = pool.story()
    assert [one.what for one in events] == ["started", "ready", "sent", "answered, 1 failed"]
    assert [one.is_about(0, 0) for one in events] == [False, False, True, True]
    assert Pool(1).story() == []


def test_order_is_kept_when_asked_for(pool: Pool) -> None:
    """Outcomes come in the order of the items although the first ones take longest."""
    seconds = [0.05, 0.03, 0.01, *[0.0] * 200]
    assert [o.value for o in pool.map(functions.wait, seconds, ordered=True)] == seconds


def test_outcome_shows_the_item_as_it_was_given(pool: Pool, tmp_path: Path) -> None:
    """A ``Path`` stays one, and so do bytes."""
    file = tmp_path / "file"
    file.write_bytes(b"12345")
    for item in (str(file), file, bytes(file)):
        (outcome,) = pool.map(functions.size, [item])
        assert (outcome.path, outcome.value) == (item, 5)


@pytest.mark.parametrize("kind", ["lambda", "closure", "partial", "method", "coroutine", "builtin"])
def test_any_callable_travels(pool: Pool, kind: str) -> None:
    """Whatever can be called with one item can be the task."""
    offset = 1

    def closure(number: int) -> int:
        return number + offset

    class Adder:
        def add(self, number: int) -> int:
            return number + offset

    callables: dict[str, Callable[..., Any]] = {
        "lambda": lambda number: number + 1,
        "closure": closure,
        "partial": functools.partial(closure),
        "method": Adder().add,
        "coroutine": functions.add_one,
        "builtin": (1).__add__,
    }
    values = [outcome.value for outcome in pool.map(callables[kind], range(50))]
    assert sorted(values) == list(range(1, 51))


def test_several_iterables_are_zipped(pool: Pool) -> None:
    """As with ``Executor.map``, each call takes one item of every iterable."""
    outcomes = pool.map(pow, [2, 3], [5, 2], ordered=True)
    assert [outcome.value for outcome in outcomes] == [32, 9]


def test_failure_is_an_outcome(pool: Pool) -> None:
    """A raised exception becomes type, message and traceback of that one job."""
    (outcome,) = pool.map(functions.refuse, ["salt"])
    assert (outcome.status, outcome.error) == ("failed", "ValueError: no salt")
    assert outcome.traceback is not None
    assert "in refuse" in outcome.traceback
    assert "functions.py" not in outcome.traceback.replace("functions_for_tests.py", "")


@pytest.mark.parametrize(
    ("function", "item", "words"),
    [
        (functions.square, threading.Lock(), "type lock can't be pickled"),
        (lambda _: threading.Lock(), 1, "type lock can't be pickled"),
        (functions.raise_unpicklable, 1, "Unpicklable: can't be unpickled"),
        (lambda _: (_ for _ in ()), 1, "type generator can't be pickled"),
    ],
)
def test_what_cannot_travel_fails_alone(
    pool: Pool, function: object, item: object, words: str
) -> None:
    """An item, result or exception that can't be pickled is one failure; the pool lives."""
    (outcome,) = pool.map(function, [item])  # type: ignore[call-overload]
    assert outcome.status == "failed"
    assert words in str(outcome.error)
    assert next(iter(pool.map(functions.square, [3]))).value == 9


def test_huge_result_travels(pool: Pool) -> None:
    """Results of many megabytes arrive whole."""
    outcomes = pool.map(bytes, [30_000_000, 10])
    assert sorted(len(outcome.result()) for outcome in outcomes) == [10, 30_000_000]


def test_function_that_cannot_travel_is_refused(pool: Pool) -> None:
    """A function that holds a lock is refused at once, by name."""
    lock = threading.Lock()
    with pytest.raises(UnpicklableTask, match="lock"):
        pool.map(lambda item: lock.locked() or item, [1])


def test_function_that_cannot_be_loaded_ends_the_run(pool: Pool) -> None:
    """When no worker can load the task there is one clear error, and the pool goes on."""

    class OnlyHere:
        def __reduce__(self) -> tuple[object, ...]:
            return (__import__, ("no_such_module_anywhere",))

        def __call__(self, item: int) -> int:
            return item

    with pytest.raises(TaskLoadError, match="no_such_module_anywhere"):
        list(pool.map(OnlyHere(), range(100)))
    assert [outcome.value for outcome in pool.map(functions.square, [2])] == [4]


def test_endless_input_is_drawn_lazily(pool: Pool) -> None:
    """An endless generator whose consumer stops after 100 was drawn only a few blocks deep."""
    drawn = itertools.count()
    outcomes = pool.map(functions.square, drawn)
    for _ in range(100):
        next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]
    assert next(drawn) < 10_000


def test_slow_consumer_slows_the_pool_down(pool: Pool) -> None:
    """While nobody takes outcomes, drawing stops."""
    drawn = 0
    has_stopped = threading.Event()

    def items():
        nonlocal drawn
        for number in itertools.count():
            drawn = number
            yield number

    outcomes = pool.map(functions.square, items())
    next(outcomes)
    before = -1
    while before != drawn:
        before = drawn
        has_stopped.wait(0.3)
    assert drawn < 100_000  # some ten blocks, each up to four times as large as those before
    outcomes.close()  # type: ignore[attr-defined]


def test_slow_input_holds_up_no_outcome(pool: Pool) -> None:
    """An item's outcome arrives while the source of the next one is still waiting for it."""
    has_outcome = threading.Event()

    def items():
        for number in range(5):
            yield number
            assert has_outcome.wait(10)
            has_outcome.clear()

    values = []
    for outcome in pool.map(functions.square, items()):
        values.append(outcome.value)
        has_outcome.set()
    assert values == [0, 1, 4, 9, 16]


def test_error_of_the_input_is_raised_after_what_was_drawn(pool: Pool) -> None:
    """An exception of the caller's own generator comes back to the caller."""

    def items():
        yield from range(10)
        raise LookupError("no more")

    values = []
    with pytest.raises(LookupError, match="no more"):  # noqa: PT012  (the loop is what raises)
        for outcome in pool.map(functions.square, items()):
            values.append(outcome.value)  # noqa: PERF401  (they are wanted up to the exception)
    assert len(values) == 10


def test_time_out_of_the_iterator(pool: Pool) -> None:
    """As with ``Executor.map``, the caller can bound how long it waits."""
    with pytest.raises(TimeoutError):
        list(pool.map(functions.wait, [0.5], timeout=0.05))


def test_stuck_jobs_move_to_idle_workers(pool: Pool) -> None:
    """Jobs that wait behind a slow one are taken back and run elsewhere."""
    began = time.monotonic()
    seconds = [*[0.001] * 300, 1.0, *[0.001] * 600]
    outcomes = list(pool.map(functions.wait, seconds))
    assert len(outcomes) == 901
    assert time.monotonic() - began < 1.9


@pytest.mark.parametrize("function", [functions.most_at_once, functions.most_coroutines_at_once])
def test_no_more_jobs_at_once_than_slots(function: object) -> None:
    """Pulling stops at the number of slots, and resumes below it."""
    with Pool(1, slots=3) as pool:
        outcomes = list(pool.map(function, range(40)))  # type: ignore[call-overload]
    assert max(outcome.value for outcome in outcomes) == 3


def test_runs_share_a_pool(pool: Pool) -> None:
    """Several threads map different functions over one pool, each getting its own outcomes."""
    sums: dict[int, int] = {}

    def use(number: int) -> None:
        outcomes = pool.map(functools.partial(pow, 2), [number] * 200)
        sums[number] = sum(outcome.result() for outcome in outcomes)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sums == {number: 200 * 2**number for number in range(8)}


def test_map_after_shutdown_is_refused() -> None:
    """A pool that was shut down says so; one shut down in mid-run ends its iterators with it."""
    pool = Pool(1)
    outcomes = pool.map(functions.wait, itertools.repeat(0.001))
    next(outcomes)
    pool.shutdown()
    with pytest.raises(PoolClosed, match="before its input ended"):
        list(outcomes)
    with pytest.raises(PoolClosed, match="shut down"):
        pool.map(functions.square, [1])


def test_closed_pool_touches_nobody_s_files(tmp_path: Path) -> None:
    """Iterating after the pool has ended raises at once, and writes into no reused descriptor."""
    with Pool(1) as pool:
        outcomes = pool.map(functions.square, [1, 2])
    files = [(tmp_path / str(number)).open("wb") for number in range(20)]
    with pytest.raises(PoolClosed):
        list(outcomes)
    for file in files:
        file.close()
    assert all(file.stat().st_size == 0 for file in tmp_path.iterdir())


@pytest.mark.parametrize("ending", ["return", "raise", "exit"])
def test_task_may_fork(pool: Pool, ending: str) -> None:
    """A child that a task forks ends where the task would, and runs no other job."""

    def fork(_: int) -> int:
        import os

        child = os.fork()
        if child == 0:
            if ending == "raise":
                raise ValueError("in the child")
            if ending == "exit":
                raise SystemExit(3)
            return -1
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    values = [outcome.value for outcome in pool.map(fork, range(5))]
    assert values == [{"return": 0, "raise": 1, "exit": 3}[ending]] * 5


def test_item_drawn_while_the_run_is_cancelled_holds_nothing_up(pool: Pool) -> None:
    """A source that gives one more item when all is over is not waited for, nor is its item."""
    is_cancelled = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        is_cancelled.wait()
        yield 2

    call = pool.begin(functions.square, items())
    outcomes = []
    for arrived in call.settled(wait_s=0.01):
        outcomes += [outcome for one in arrived for outcome in outcomes_of(one)]
        if outcomes and not is_cancelled.is_set():
            call.abort()
            list(pool.map(functions.square, range(10)))  # by then the master has dropped the run
            is_cancelled.set()
    assert [outcome.value for outcome in outcomes] == [1]


def test_time_out_counts_from_the_call_and_not_by_the_wake(pool: Pool) -> None:
    """Whatever else wakes the consumer, it has until the deadline; then there is an error."""

    def items() -> Iterator[float]:
        for _ in range(20):
            yield 0.05
            time.sleep(0.01)  # noqa: TID251

    assert len(list(pool.map(functions.wait, items(), timeout=30))) == 20
    with pytest.raises(TimeoutError):
        list(pool.map(functions.wait, iter([0.0, 3.0]), timeout=0.5))
