"""The budget with threads and loops, without any file."""

from __future__ import annotations

import asyncio
import errno
import gc
import pickle
import threading
import time
from typing import TYPE_CHECKING

import pytest

from fsworkers.graceful import Budget, BudgetTimeout, BudgetTooSmall, DescriptorDeadlock
from fsworkers.graceful.budget.limit import default_reserve
from fsworkers.graceful.budget.reservation import Reservation, reserve
from fsworkers.graceful.budget.task_wait import take, take_many
from fsworkers.graceful.budget.watchdog import backoff_s

if TYPE_CHECKING:
    from fsworkers.graceful.budget.permits import HeldPermit


def wait_for(condition, longest_s: float = 5.0) -> None:
    """Wait on a condition, as tests of threads must."""
    until_s = time.monotonic() + longest_s
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < until_s, "it did not come about"
        pause.wait(0.002)


def test_a_permit_is_lent_and_comes_back() -> None:
    """The plain case, and what the statistics make of it."""
    budget = Budget(2)
    permit = budget.take()
    assert budget.statistics().lent == 1
    permit.give_back()
    seen = budget.statistics()
    assert (seen.lent, seen.peak, seen.waits, seen.capacity) == (0, 1, 0, 2)


def test_statistics_are_frozen_and_travel() -> None:
    """A snapshot cannot be changed and survives pickling."""
    seen = Budget(2).statistics()
    with pytest.raises(AttributeError):
        seen.lent = 3
    assert pickle.loads(pickle.dumps(seen)) == seen
    assert list(seen.as_dict())[:3] == ["capacity", "lent", "waiting"]


def test_threads_are_served_in_the_order_they_came() -> None:
    """First come, first served, without overtaking."""
    budget = Budget(1)
    first = budget.take()
    served: list[int] = []

    def ask(number: int) -> None:
        permit = budget.take()
        served.append(number)
        permit.give_back()

    threads = []
    for number in range(10):
        threads.append(threading.Thread(target=ask, args=(number,)))
        threads[-1].start()
        wait_for(lambda number=number: budget.statistics().waiting == number + 1)
    first.give_back()
    for thread in threads:
        thread.join()
    assert served == list(range(10))


def test_threads_and_loops_stand_in_one_line() -> None:
    """A thread that came before a task is served before it, and the other way round."""
    budget = Budget(1)
    first = budget.take()
    served: list[str] = []

    def ask(name: str) -> None:
        permit = budget.take()
        served.append(name)
        permit.give_back()

    async def await_it(name: str) -> None:
        permit = await take(budget=budget)
        served.append(name)
        permit.give_back()

    runners = [
        lambda: ask("thread 0"),
        lambda: asyncio.run(await_it("loop 1")),
        lambda: ask("thread 2"),
        lambda: asyncio.run(await_it("loop 3")),
    ]
    threads = []
    for number, runner in enumerate(runners):
        threads.append(threading.Thread(target=runner))
        threads[-1].start()
        wait_for(lambda number=number: budget.statistics().waiting == number + 1)
    first.give_back()
    for thread in threads:
        thread.join()
    assert served == ["thread 0", "loop 1", "thread 2", "loop 3"]


def test_several_are_lent_all_or_none() -> None:
    """A weighted request at the head holds back a small one behind it."""
    budget = Budget(6)
    permit = budget.take()
    order: list[str] = []

    def large() -> None:
        permits = budget.take_many(6)
        order.append("large")
        for one in permits:
            one.give_back()

    def small() -> None:
        one = budget.take()
        order.append("small")
        one.give_back()

    threads = [threading.Thread(target=large), threading.Thread(target=small)]
    for number, thread in enumerate(threads):
        thread.start()
        wait_for(lambda number=number: budget.statistics().waiting == number + 1)
    permit.give_back()
    for thread in threads:
        thread.join()
    assert order == ["large", "small"]


def test_more_than_the_budget_fails_at_once() -> None:
    """No wait could help, so there is none."""
    with pytest.raises(BudgetTooSmall, match="needs 2, budget 1"):
        Budget(1).take_many(2)


def test_a_wait_that_is_too_long_ends_with_the_holders_named() -> None:
    """The error carries what was waited for, how long, and who holds the budget."""
    budget = Budget(1)
    permit = budget.take()
    with pytest.raises(BudgetTimeout, match="MainThread holds 1") as caught:
        budget.take("a/path", wait_s=0.01)
    assert caught.value.filename == "a/path"
    assert caught.value.waited_s >= 0.01
    permit.give_back()
    assert budget.statistics().lent == 0
    budget.take().give_back()


def test_a_waiter_cancelled_in_the_tick_in_which_it_is_served_passes_it_on() -> None:
    """The permit granted to a cancelled task goes to the next in the line."""

    async def main() -> None:
        budget = Budget(1)
        permit = await take(budget=budget)
        doomed = asyncio.ensure_future(take(budget=budget))
        heir = asyncio.ensure_future(take(budget=budget))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert budget.statistics().waiting == 2
        permit.give_back()
        doomed.cancel()
        with pytest.raises(asyncio.CancelledError):
            await doomed
        (await heir).give_back()
        assert budget.statistics().lent == 0

    asyncio.run(main())


def test_a_cancelled_waiter_does_not_hold_up_others() -> None:
    """A large request that is cancelled lets the small ones behind it pass at once."""

    async def main() -> None:
        budget = Budget(4)
        permit = await take(budget=budget)
        large = asyncio.ensure_future(take_many(4, budget=budget))
        small = asyncio.ensure_future(take(budget=budget))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        large.cancel()
        (await small).give_back()
        permit.give_back()
        assert budget.statistics().lent == 0

    asyncio.run(main())


def test_a_loop_closed_with_waiters_loses_no_permit() -> None:
    """What is granted to a loop that is gone goes to the next."""
    budget = Budget(1)
    permit = budget.take()

    async def give_up() -> None:
        waiting = asyncio.ensure_future(take(budget=budget))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting.cancel()

    asyncio.run(give_up())
    permit.give_back()
    budget.take().give_back()
    assert budget.statistics().lent == 0


def test_resizing_never_lends_too_many() -> None:
    """A smaller budget takes nothing away, and lends again only below its new size."""
    budget = Budget(3)
    permits = [budget.take() for _ in range(3)]
    budget.resize(1)
    permits.pop().give_back()
    permits.pop().give_back()
    with pytest.raises(BudgetTimeout):
        budget.take(wait_s=0.01)
    permits.pop().give_back()
    budget.take().give_back()
    budget.resize(3)
    permits = [budget.take() for _ in range(3)]
    assert budget.statistics().lent == 3
    for permit in permits:
        permit.give_back()


def test_a_finalizer_may_give_back_in_the_middle_of_bookkeeping() -> None:
    """Collecting garbage while the line is worked on neither deadlocks nor loses a permit."""
    budget = Budget(2)

    class Holder:
        def __init__(self) -> None:
            self.permit = budget.take()
            self.itself = self

        def __del__(self) -> None:
            self.permit.give_back()

    thresholds = gc.get_threshold()
    gc.set_threshold(1, 1, 1)
    try:
        for _ in range(200):
            Holder()
            for permit in budget.take_many(1):
                permit.give_back()
    finally:
        gc.set_threshold(*thresholds)
    gc.collect()
    assert budget.statistics().lent == 0


def test_a_deadlock_without_a_reserve_ends_the_youngest() -> None:
    """Each of two threads holds one of two and asks for another: one is told, one goes on."""
    budget = Budget(2, deadlock_after_s=0.4)
    barrier = threading.Barrier(2)
    outcomes: list[str] = []

    def hold_and_wait() -> None:
        permit = budget.take()
        barrier.wait()
        try:
            budget.take("second").give_back()
            outcomes.append("done")
        except DescriptorDeadlock as error:
            outcomes.append(f"told of {error.filename}: {len(error.holders)} holders")
        finally:
            permit.give_back()

    threads = [threading.Thread(target=hold_and_wait) for _ in range(2)]
    begun_s = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert sorted(outcomes) == ["done", "told of second: 2 holders"]
    assert time.monotonic() - begun_s < 2
    assert budget.statistics().deadlocks == 1


def test_who_keeps_the_line_waiting_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    """Somebody holds and does not ask: nobody is ended for that, and nobody waits in silence."""
    budget = Budget(1, deadlock_after_s=0.3)
    permit = budget.take()
    asking = threading.Thread(target=lambda: budget.take().give_back())
    asking.start()
    wait_for(lambda: caplog.records)
    asking.join(0.8)
    assert asking.is_alive()
    permit.give_back()
    asking.join(5)
    (told,) = (record.getMessage() for record in caplog.records)
    assert told.startswith("1 wait for a descriptor, and nothing has moved for 0.3 s; held by ")
    assert told.endswith("thread MainThread holds 1")
    assert budget.statistics().deadlocks == 0


def test_opens_inside_a_reservation_draw_on_it() -> None:
    """What is reserved is lent once, and comes back when both block and file are over."""
    budget = Budget(3)
    with Reservation(3, budget=budget):
        drawn = [budget.take() for _ in range(3)]
        assert budget.statistics().lent == 3
        drawn.pop().give_back()
        drawn.append(budget.take())
    assert budget.statistics().lent == 3
    for one in drawn:
        one.give_back()
    assert budget.statistics().lent == 0


def ask_again(budget: Budget) -> HeldPermit:
    """As after a refusal by the kernel, with permits that were drawn before."""
    error = OSError(errno.EMFILE, "none")
    return budget.acquire_again(budget.request(1, "x"), [budget.permits.make(budget, 1)], error)[0]


WAYS_TO_ASK = {
    "take": lambda budget: budget.take(),
    "take_many": lambda budget: budget.take_many(1)[0],
    "async": lambda budget: asyncio.run(take(budget=budget)),
}


@pytest.mark.parametrize(
    ("ask", "wait_s"),
    [(ask, wait_s) for ask in WAYS_TO_ASK.values() for wait_s in (None, 0)] + [(ask_again, None)],
    ids=[f"{name}-{wait_s}" for name in WAYS_TO_ASK for wait_s in (None, 0)] + ["take_again"],
)
def test_who_asks_while_another_is_at_the_ledger_waits_for_it(ask, wait_s) -> None:
    """The line is not joined until that one is done, which is no time-out: there is room."""
    budget = Budget(2, wait_s=wait_s)
    budget.line  # noqa: B018 - measured, so that nothing else is to be done
    served: list[HeldPermit] = []
    budget._lock.acquire()
    asking = threading.Thread(target=lambda: served.append(ask(budget)))
    asking.start()
    asking.join(0.1)
    assert served == []
    budget._lock.release()
    asking.join(5)
    served[0].give_back()
    assert budget.statistics().lent == 0


def test_a_reservation_inside_another_is_a_part_of_it() -> None:
    """Nested blocks that fit cannot deadlock with one another."""
    budget = Budget(3)
    with Reservation(3, budget=budget), Reservation(2, budget=budget):
        budget.take().give_back()
    assert budget.statistics().lent == 0


def test_who_finds_a_reservation_empty_draws_on_the_one_around_it() -> None:
    """Also across one on another budget; each piece goes back to where it came from."""
    budget, other = Budget(8), Budget(2)
    with Reservation(4, budget=budget) as outer:
        with Reservation(2, budget=budget), Reservation(2, budget=other):
            drawn = [budget.take() for _ in range(4)]
            with Reservation(1, budget=budget) as beside:
                assert budget.lent == 5
                budget.take().give_back()
                assert repr(beside) == "<Reservation 1 of 1 left>"
            drawn.pop(0).give_back()
            with Reservation(1, budget=budget):
                assert (budget.lent, other.lent) == (4, 2)
        assert repr(outer) == "<Reservation 1 of 4 left>"
        for one in drawn:
            one.give_back()
        assert repr(outer) == "<Reservation 4 of 4 left>"
        with Reservation(4, budget=budget), Reservation(4, budget=budget):
            assert budget.lent == 4
    assert (budget.statistics().lent, budget.statistics().peak) == (0, 5)


def test_a_reservation_entered_again_inside_a_task_of_its_own() -> None:
    """The task has outlived the block it was started in: that is not around it any more."""

    async def main() -> None:
        budget = Budget(3)
        again = Reservation(1, budget=budget)
        started, over = asyncio.Event(), asyncio.Event()

        async def task() -> None:
            async with Reservation(1, budget=budget):
                started.set()
                await over.wait()
                async with again:
                    drawn = [await take(budget=budget) for _ in range(2)]
                    assert budget.lent == 2
                    for one in drawn:
                        one.give_back()
                    assert budget.lent == 1

        async with again:
            running = asyncio.create_task(task())
            await started.wait()
        over.set()
        await running
        assert budget.statistics().lent == 0

    asyncio.run(main())


def test_tasks_draw_on_the_reservation_they_were_started_in() -> None:
    """A reservation holds for the block's own task and those started from it."""

    async def main() -> None:
        budget = Budget(2)

        async def child() -> None:
            (await take(budget=budget)).give_back()

        async with Reservation(2, budget=budget):
            await asyncio.gather(child(), child())
        assert budget.statistics().lent == 0

    asyncio.run(main())


@pytest.mark.parametrize("wait_s", [-1, float("nan"), float("inf"), 1e20])
def test_a_wait_that_makes_no_sense_is_refused(wait_s: float) -> None:
    """At once, and nothing is lent or left in the line."""
    budget = Budget(1)
    kept = budget.take()
    with pytest.raises(ValueError, match="wait_s is from 0 to"):
        budget.take(wait_s=wait_s)
    with pytest.raises(ValueError, match="wait_s is from 0 to"):
        reserve(1, budget=budget, wait_s=wait_s)
    with pytest.raises(ValueError, match="wait_s is from 0 to"):
        asyncio.run(take_many(1, wait_s=wait_s, budget=budget))
    assert (budget.statistics().lent, budget.line.waiting) == (1, 0)
    kept.give_back()


def test_a_reservation_waits_no_longer_than_it_is_told() -> None:
    """Blocking or awaited, its own longest wait goes before the budget's."""
    budget = Budget(2, wait_s=60)
    permit = budget.take()
    with (
        pytest.raises(BudgetTimeout, match="MainThread holds 1"),
        reserve(2, wait_s=0.01, budget=budget),
    ):
        raise AssertionError("it was lent")

    async def main() -> None:
        with pytest.raises(BudgetTimeout):
            async with reserve(2, wait_s=0.01, budget=budget):
                raise AssertionError("it was lent")

    asyncio.run(main())
    permit.give_back()
    with reserve(2, wait_s=0.01, budget=budget):
        assert budget.statistics().lent == 2
    assert budget.statistics().lent == 0


def test_tracing_says_where_a_permit_was_taken() -> None:
    """Off by default; on, each holder has the calls that led to it."""
    budget = Budget(2)
    quiet = budget.take()
    assert budget.holders()[0].traces == ()
    budget.trace(on=True)
    loud = budget.take()
    traces = budget.holders()[0].traces
    assert any("test_tracing_says_where" in line for line in traces[0])
    budget.trace(on=False)
    quiet.give_back()
    loud.give_back()
    assert budget.holders() == ()


@pytest.mark.parametrize(("limit", "reserve"), [(16, 4), (32, 4), (64, 8), (256, 32), (65536, 32)])
def test_the_reserve_is_in_proportion(limit: int, reserve: int) -> None:
    """An eighth of the limit, with a floor and a cap."""
    assert default_reserve(limit) == reserve


def test_backoff_grows_to_its_longest_with_jitter() -> None:
    """The machine's shortage is polled more slowly than the process's own."""
    assert 0.01 <= backoff_s(1, machine_wide=False) <= 0.02
    assert 0.125 <= backoff_s(50, machine_wide=False) <= 0.25
    assert 1.0 <= backoff_s(50, machine_wide=True) <= 2.0
    assert len({backoff_s(50, machine_wide=True) for _ in range(20)}) > 1


@pytest.mark.parametrize("idle_s", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_idle_waiters_cost_no_time_and_are_not_ended(idle_s: int) -> None:
    """A thousand wait for what the loop's own thread holds: that proves no deadlock."""
    budget = Budget(1)
    permit = budget.take()

    async def main() -> float:
        waiting = [asyncio.ensure_future(take(budget=budget)) for _ in range(1000)]
        await asyncio.sleep(0.1)
        before_s = time.process_time()
        await asyncio.sleep(idle_s)
        used_s = time.process_time() - before_s
        permit.give_back()
        for one in waiting:
            (await one).give_back()
        return used_s

    gc.freeze()  # What the tests before have left is not to be looked through.
    try:
        assert asyncio.run(main()) < 0.1
    finally:
        gc.unfreeze()
    assert budget.statistics().deadlocks == 0


def test_the_watch_goes_on_after_an_error(capsys) -> None:
    """Those who wait would be left alone otherwise; what went wrong is told."""
    looks: list[int] = []

    class Flawed(Budget):
        def follow_limit(self) -> None:
            looks.append(1)
            if len(looks) == 1:
                raise MemoryError("no room for a look")

    flawed = Flawed(1)
    flawed._watchdog.begin()
    wait_for(lambda: len(looks) == 2)
    assert "no room for a look" in capsys.readouterr().err
