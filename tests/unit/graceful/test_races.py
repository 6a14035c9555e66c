"""The line, met at its worst moments: each forced at its very line."""

from __future__ import annotations

import asyncio
import errno
import gc
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from fsworkers.graceful import Budget, BudgetTimeout
from fsworkers.graceful.budget import owners
from fsworkers.graceful.budget.line import GRANTED, Line, Waiter
from fsworkers.graceful.budget.reservation import reserve
from fsworkers.graceful.budget.task_wait import take_many
from tests.unit.graceful.test_budget import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

pytestmark = pytest.mark.timeout(20)


def in_a_thread(action: Callable[[], object]) -> None:
    """Have another thread do it, and wait for that."""
    thread = threading.Thread(target=action)
    thread.start()
    thread.join(5)
    assert not thread.is_alive()


def strike_once(original: Callable[..., Any], *, first: bool) -> Callable[..., Any]:
    """A function that Ctrl-C strikes as it begins, or as it ends; only the first time."""
    strikes = [KeyboardInterrupt]

    def struck(*given: Any, **named: Any) -> Any:
        if first and strikes:
            raise strikes.pop()
        result = original(*given, **named)
        if strikes:
            raise strikes.pop()
        return result

    return struck


class _Striking:
    """A lock whose first holder is interrupted by a signal handler before its next line."""

    def __init__(self, lock: Any, handler: Callable[[], object]) -> None:
        self._lock = lock
        self._handlers = [handler]
        self.acquire, self.release = lock.acquire, lock.release
        self._is_owned = lock._is_owned

    def __enter__(self) -> None:
        self._lock.acquire()
        if self._handlers:
            self._handlers.pop()()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_a_handler_that_opens_as_the_ledger_is_had_is_served_from_the_reserve() -> None:
    """It can't wait for what it interrupted."""
    budget = Budget(1, wait_s=5)
    held = budget.take()
    taken = []
    striking: Any = _Striking(budget._lock, lambda: taken.append(budget.take()))
    budget._lock = striking
    with pytest.raises(BudgetTimeout):
        budget.take(wait_s=0)
    assert len(taken) == 1
    assert budget.lent == 2
    for permit in (*taken, held):
        permit.give_back()
    assert budget.statistics().lent == 0


@pytest.mark.parametrize(
    "ask",
    [
        lambda budget: budget.take(),
        lambda budget: budget.take_many(2),
        lambda budget: budget.take_if_free(),
        lambda budget: asyncio.run(take_many(2, budget=budget)),
    ],
    ids=["take", "take_many", "take_if_free", "async"],
)
@pytest.mark.parametrize("first", [True, False])
def test_ctrl_c_as_one_joins_the_line_leaves_nobody_in_it(ask, first, monkeypatch) -> None:
    """Nor anything lent: others are next, and can be served."""
    budget = Budget(2)
    held = budget.take_many(2)
    monkeypatch.setattr(Budget, "enter", strike_once(Budget.enter, first=first))
    with pytest.raises(KeyboardInterrupt):
        ask(budget)
    assert budget.statistics().waiting == 0
    held.pop().give_back()
    held.append(budget.take(wait_s=5).real())
    for permit in held:
        permit.give_back()
    assert budget.statistics().lent == 0


def test_permits_of_a_refused_operation_come_back_once(monkeypatch) -> None:
    """Although Ctrl-C strikes behind that, and the command is run again."""
    budget = Budget(3)
    request = budget.request(2, "x")
    refused = budget.acquire(request)
    monkeypatch.setattr(Line, "refuse", strike_once(Line.refuse, first=True))
    with pytest.raises(KeyboardInterrupt):
        budget.acquire_again(request, refused, OSError(errno.EMFILE, "none"))
    assert len(budget.free) == len({id(one) for one in budget.free}) <= 3
    assert budget.statistics().lent == 0


def test_who_is_refused_again_keeps_the_place() -> None:
    """Before all who were refused later, however often that happens."""
    budget = Budget(2)
    requests = {name: budget.request(1, name) for name in "AB"}
    waiters: dict[str, Waiter] = {}

    def refuse(name: str, permits: list[Any]) -> None:
        waiters[name] = Waiter(requests[name], owners.identify(), lambda: None)
        error = OSError(errno.EMFILE, "none")
        budget.enter_refused(waiters[name], refused=permits, error=error)

    held = {name: [budget.take().real()] for name in "AB"}
    for name in "AB":
        refuse(name, held[name])
    for _ in range(2):
        wait_for(lambda: budget.statistics() and waiters["A"].state == GRANTED)
        refuse("A", waiters["A"].permits)
        assert [one.request.label for one in budget.line.in_line()][:1] == ["A"]
    for waiter in waiters.values():
        budget.abandon(waiter)
    assert budget.statistics().lent == 0


def test_blocks_in_generators_end_in_any_order() -> None:
    """What was begun after one that ends remains in force."""
    budget = Budget(4)

    def lend() -> Generator[None]:
        with reserve(1, budget=budget):
            yield

    first = lend()
    next(first)
    with reserve(3, budget=budget):
        first.close()
        taken = [budget.take() for _ in range(3)]
        assert budget.lent == 3
        for one in taken:
            one.give_back()
    free = budget.take()
    assert budget.lent == 1
    free.give_back()
    assert budget.statistics().lent == 0


def test_take_if_free_takes_what_is_free_and_never_waits() -> None:
    """Whatever else goes on: tracing, another's reservation, permits that were never lent."""
    budget = Budget(3)
    first = budget.take_if_free("x")
    budget.trace(on=True)
    second = budget.take_if_free("x")
    assert first is not None
    assert second is not None
    assert second.real().trace
    taken: list[Any] = []
    waiting = threading.Thread(target=lambda: taken.extend(budget.take_many(2, wait_s=5)))
    waiting.start()
    wait_for(lambda: budget.line.waiting)
    found: list[object] = []
    newcomer = threading.Thread(target=lambda: found.append(budget.take_if_free("x")))
    newcomer.start()
    newcomer.join(5)
    assert found == [None]  # somebody was there before
    assert budget.statistics().waiting == 1
    first.give_back()
    waiting.join(5)
    for one in (*taken, second):
        one.give_back()
    with reserve(2, budget=budget):
        drawn = budget.take_if_free()
        assert drawn is not None
        assert budget.lent == 2
        drawn.give_back()
    assert budget.statistics().lent == 0


def test_finalizers_that_open_disturb_nobody_who_is_at_work() -> None:
    """They strike wherever something is allocated: also while permits and waiters are listed."""
    budget = Budget(2, wait_s=10)
    problems: list[BaseException] = []

    class Last:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            with suppress(BudgetTimeout):
                budget.take(wait_s=0).give_back()

    def work() -> None:
        try:
            for _ in range(500):
                Last()
                with reserve(1, budget=budget):
                    budget.take().give_back()
        except BaseException as error:  # noqa: BLE001 - told in the test's own thread
            problems.append(error)

    thresholds, interval_s = gc.get_threshold(), sys.getswitchinterval()
    gc.set_threshold(20, 2, 2)
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(15)
    finally:
        gc.set_threshold(*thresholds)
        sys.setswitchinterval(interval_s)
    assert not problems
    gc.collect()
    assert budget.statistics().lent == 0


def test_what_is_taken_if_free_is_lent_once() -> None:
    """It may be served at the very moment at which nothing seems to be free."""
    budget = Budget(2)
    held: dict[int, int] = {}
    problems: list[str] = []
    over = threading.Event()

    def hold(permit: Any) -> None:
        if held.setdefault(id(permit), threading.get_ident()) != threading.get_ident():
            problems.append("lent twice")
        held.pop(id(permit), None)
        permit.give_back()

    def take_if_free() -> None:
        while not over.is_set():
            permit = budget.take_if_free()
            if permit is not None:
                hold(permit)

    def take() -> None:
        while not over.is_set():
            with suppress(BudgetTimeout):
                hold(budget.take(wait_s=0.0005))

    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(2e-6)
    try:
        threads = [threading.Thread(target=each) for each in [take_if_free, take] * 3]
        for thread in threads:
            thread.start()
        over.wait(1)
        over.set()
        for thread in threads:
            thread.join(5)
    finally:
        sys.setswitchinterval(interval_s)
    assert not problems
    assert len({id(permit) for permit in budget.free}) == len(budget.free) == len(budget.permits)


def test_a_finalizer_that_the_watchdog_finds_does_not_wait_for_it() -> None:
    """It opens something, and behind it in the garbage is what holds everything."""
    budget = Budget(2)

    class Last:
        def __del__(self) -> None:
            budget.take().give_back()

    class Garbage:
        def __init__(self) -> None:
            self.itself = self
            self.last = Last()
            self.permits = budget.take_many(2)

        def __del__(self) -> None:
            for permit in self.permits:
                permit.give_back()

    gc.disable()
    try:
        Garbage()
        in_a_thread(lambda: budget.take().give_back())
    finally:
        gc.enable()
    assert budget.statistics().lent == 0


def test_waiters_of_a_loop_that_was_closed_are_passed_over_however_many() -> None:
    """Without a call in a call for each of them."""
    budget = Budget(1)
    held = budget.take()
    loop = asyncio.new_event_loop()

    async def line_up() -> None:
        for _ in range(2000):
            asyncio.ensure_future(take_many(1, budget=budget))  # noqa: RUF006 - they end with the loop
        await asyncio.sleep(0.1)

    loop.run_until_complete(line_up())
    loop.close()
    held.give_back()
    assert (budget.statistics().lent, budget.statistics().waiting) == (0, 0)


def test_a_thread_that_has_the_watchdogs_ident_again_waits_as_all_others() -> None:
    """Idents are used again as soon as a thread is over."""
    budget = Budget(1)
    held = budget.take()
    with pytest.raises(BudgetTimeout):
        budget.take(wait_s=0.05)
    wait_for(lambda: not budget.is_watched)
    refused: list[int] = []

    def take() -> None:
        try:
            budget.take(wait_s=0.02)
        except BudgetTimeout:
            refused.append(1)

    for _ in range(20):
        in_a_thread(take)
        wait_for(lambda: not budget.is_watched)
    assert len(refused) == 20
    assert budget.lent == 1
    held.give_back()
