"""The line, met at its worst moments: each forced at its very line."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from fsworkers.graceful import Budget, BudgetTimeout
from fsworkers.graceful.budget import limit, owners
from fsworkers.graceful.budget.command_queue import Inbox
from fsworkers.graceful.budget.line import GRANTED, Line, QueuePosition, Waiter
from fsworkers.graceful.budget.permit_pool import PermitPool
from fsworkers.graceful.budget.reservation import reserve
from fsworkers.graceful.budget.task_wait import take_many
from fsworkers.graceful.budget.upkeep import Upkeep
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
        self.release = lock.release
        self._is_owned = lock._is_owned

    def acquire(self, blocking: bool = True) -> bool:
        got: bool = self._lock.acquire(blocking)
        if got and self._handlers:
            self._handlers.pop()()
        return got


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
        lambda budget: budget.take_or("x", lambda: None, lambda: 9.0),
        lambda budget: budget.take_if_free(),
        lambda budget: asyncio.run(take_many(2, budget=budget)),
    ],
    ids=["take", "take_many", "take_or", "take_if_free", "async"],
)
@pytest.mark.parametrize("first", [True, False])
def test_ctrl_c_as_one_joins_the_line_leaves_nobody_in_it(ask, first, monkeypatch) -> None:
    """Nor anything lent: others are next, and can be served."""
    budget = Budget(2)
    held = budget.take_many(2)
    monkeypatch.setattr(PermitPool, "post", strike_once(PermitPool.post, first=first))
    with pytest.raises(KeyboardInterrupt):
        ask(budget)
    assert budget.statistics().waiting == 0
    held.pop().give_back()
    held.append(budget.take(wait_s=5).real())
    for permit in held:
        permit.give_back()
    assert budget.statistics().lent == 0


class _Box(Inbox):
    """Runs its commands, and is struck the first time by Ctrl-C as another thread posts one."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[str] = []
        self.is_struck = False

    def _work(self) -> None:
        if not self.is_struck:
            self.is_struck = True
            in_a_thread(lambda: self._post(lambda: self.done.append("another's")))
            raise KeyboardInterrupt
        self._run_commands()

    def _wake_served(self) -> None:
        return


def test_what_others_posted_is_done_although_ctrl_c_strikes() -> None:
    """They saw somebody at work, and rely on that."""
    box = _Box()
    with pytest.raises(KeyboardInterrupt):
        box._post(lambda: box.done.append("ours"))
    assert box.done == ["ours", "another's"]


def test_permits_of_a_refused_operation_come_back_once(monkeypatch) -> None:
    """Although Ctrl-C strikes behind that, and the command is run again."""
    budget = Budget(3)
    refused = budget.take_many(2)
    monkeypatch.setattr(Line, "refuse", strike_once(Line.refuse, first=True))
    with pytest.raises(KeyboardInterrupt):
        budget.take_again(
            refused, "x", QueuePosition(), until_s=None, longest_s=None, machine_wide=False
        )
    assert len(budget.free) == len({id(one) for one in budget.free}) <= 3
    assert budget.statistics().lent == 0


def test_who_is_refused_again_keeps_the_place() -> None:
    """Before all who were refused later, however often that happens."""
    budget = Budget(2)
    places = {name: QueuePosition() for name in "AB"}
    waiters: dict[str, Waiter] = {}

    def refuse(name: str, permits: list[Any]) -> None:
        waiters[name] = Waiter(1, owners.identify(), name, lambda: None)
        budget.post_refused(waiters[name], permits, places[name], machine_wide=False)

    held = {name: [budget.take().real()] for name in "AB"}
    for name in "AB":
        refuse(name, held[name])
    for _ in range(2):
        wait_for(lambda: budget.statistics() and waiters["A"].state == GRANTED)
        refuse("A", waiters["A"].permits)
        assert [one.label for one in budget.line.in_line()][:1] == ["A"]
    for waiter in waiters.values():
        budget.abandon(waiter)
    assert budget.statistics().lent == 0


@pytest.fixture
def overtaken(monkeypatch: pytest.MonkeyPatch) -> Callable[[Budget, Any], None]:
    """Measures again, and does something else after that measure and before it is heeded."""
    measure = limit.measure

    def run(budget: Budget, action: Callable[[], object]) -> None:
        actions = [action]

        def overtake(*given: Any) -> limit.Measure:
            found = measure(*given)
            if actions:
                actions.pop()()
            return found

        monkeypatch.setattr(limit, "measure", overtake)
        budget.measure_again()

    return run


def test_a_measure_that_was_overtaken_by_new_settings_changes_nothing(overtaken) -> None:
    """Neither by how many are asked for, nor by how many are to be left."""
    budget = Budget()
    budget.configure(10, None, None)
    overtaken(budget, lambda: budget.configure(5, None, None))
    assert budget.line.ceiling == 5
    overtaken(budget, lambda: budget.resize(7))
    assert budget.line.ceiling == 7
    budget.configure(None, 6, None)
    before = budget.line.ceiling
    overtaken(budget, lambda: budget.configure(None, 16, None))
    assert budget.line.ceiling == before - 10


def test_a_measure_of_a_limit_that_is_no_more_changes_nothing(overtaken, monkeypatch) -> None:
    """The older of two that overlap is not the last word."""
    budget = Budget()
    before = budget.line.ceiling
    soft = limit.soft_limit()

    def lower() -> None:
        monkeypatch.setattr(limit, "soft_limit", lambda: soft - 100)
        budget.measure_again()

    overtaken(budget, lower)
    assert budget.line.ceiling < before
    assert budget._limit == soft - 100


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


def test_an_error_in_a_look_is_told_and_is_no_fault_of_who_comes_by(monkeypatch, capsys) -> None:
    """Whoever is at the line looks, and may have nothing to do with it."""
    budget = Budget(1)
    held = budget.take()

    def fail(*_: object) -> bool:
        raise RecursionError("as deep as it gets")

    monkeypatch.setattr(Upkeep, "_unstick", fail)
    thread = threading.Thread(target=lambda: budget.take(wait_s=5).give_back())
    thread.start()
    wait_for(lambda: budget.line.waiting)
    answer: list[float | None] = []
    # The watch may be at the line, telling of its own look: then it does ours too, later.
    budget._submit(lambda: budget._look(answer, budget._watch.turn))
    wait_for(lambda: answer == [1.0])
    assert "as deep as it gets" in capsys.readouterr().err
    held.give_back()
    thread.join(5)
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
