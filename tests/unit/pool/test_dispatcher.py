"""The dispatcher's single decisions."""

from __future__ import annotations

from collections.abc import Iterable
from time import thread_time
from typing import TypeVar

import pytest

from fsworkers.pool.actions import (
    Action,
    Conclude,
    GiveUp,
    Kill,
    Recall,
    Record,
    Send,
    Start,
    Warn,
)
from fsworkers.pool.blocks import Begun
from fsworkers.pool.call_state import Traits
from fsworkers.pool.dispatcher import Dispatcher
from fsworkers.pool.failures import Failure
from fsworkers.pool.lanes import LOOK_S, SUSPICIOUS_S
from fsworkers.pool.rules import Rules
from fsworkers.pool.wire import Answer, Failed
from tests.unit.pool.scripted import FIGURES, ScriptedSource

Kind = TypeVar("Kind")


def answer(
    lane: int, number: int, start: int, stop: int, seconds: float = 0.001,
    failure: Failure | None = None,
) -> Answer:  # fmt: skip
    """What a worker answers for a span."""
    failures = [Failed(i, failure, seconds) for i in range(start, stop)] if failure else []
    busy_s = seconds * (stop - start)
    return Answer(lane, number, start, stop, 0, busy_s, failures, FIGURES)


def of(kind: type[Kind], actions: list[Action]) -> list[Kind]:
    """The actions of one kind."""
    return [action for action in actions if isinstance(action, kind)]


def sent(actions: list[Action]) -> list[tuple[int, int, int]]:
    """Lane, first index and the one behind the last of each block that is sent."""
    return [(one.lane, one.block.first, one.block.stop) for one in of(Send, actions)]


def unopened(workers: int = 2, **rules: float | None) -> Dispatcher:
    """A dispatcher whose pauses are one second for each failed attempt."""
    return Dispatcher(Rules(workers, **rules), lambda attempt: attempt * 1.0)  # type: ignore[arg-type]


def opened(workers: int = 2, **rules: float | None) -> Dispatcher:
    """A dispatcher whose workers are ready."""
    dispatcher = unopened(workers, **rules)
    dispatcher.open(0.0, workers)
    for number in range(workers):
        dispatcher.ready(number, 0.0)
    return dispatcher


def given(dispatcher: Dispatcher, count: int, slots: int = 1) -> list[Action]:
    """What follows when a call of so many items begins."""
    source = ScriptedSource(0, count, is_complete=True)
    return dispatcher.add_call(0, source, Traits(slots), 0.0)


def test_no_item_leaves_before_its_worker_is_ready() -> None:
    """Nor does one that is not ready hold up those that are."""
    dispatcher = unopened(ready_s=5.0)
    assert [one.lane for one in of(Start, dispatcher.open(0.0, 2))] == [0, 1]
    assert sent(given(dispatcher, 4)) == []
    assert sent(dispatcher.ready(1, 0.2)) == [(1, 0, 1)]
    assert len(of(Warn, dispatcher.tick(5.0))) == 1


def test_workers_are_started_as_there_is_work_for_them() -> None:
    """No more than there are items, however many were allowed."""
    dispatcher = unopened(1000)
    assert len(of(Start, dispatcher.open(0.0))) == 1
    assert len(of(Start, given(dispatcher, 6))) == 5


def test_no_worker_is_started_for_what_is_soon_done() -> None:
    """Where those who are there end sooner than another one starts."""
    dispatcher = unopened(4)
    dispatcher.open(0.0)
    dispatcher.ready(0, 0.0)
    source = ScriptedSource(0, 1)
    dispatcher.add_call(0, source, Traits(), 0.0)
    dispatcher.answered(0, answer(0, 0, 0, 1, 1e-6), None, 0.01)
    source.drawn, source.is_complete = 1000, True
    assert of(Start, dispatcher.supplied(0.02)) == []


def test_no_ready_worker_is_the_end() -> None:
    """When none gets ready in time there is one reason."""
    dispatcher = unopened(ready_s=5.0)
    dispatcher.open(0.0, 2)
    assert len(of(GiveUp, dispatcher.tick(5.0))) == 1
    assert of(GiveUp, dispatcher.tick(6.0)) == []


def test_lane_holds_two_blocks() -> None:
    """One runs, one waits; a third is sent when the first is answered."""
    dispatcher = opened(1)
    assert sent(given(dispatcher, 100)) == [(0, 0, 1)]
    assert sent(dispatcher.answered(0, answer(0, 0, 0, 1), None, 0.1)) == [(0, 1, 5), (0, 5, 9)]
    assert sent(dispatcher.answered(0, answer(0, 1, 1, 2), None, 0.1)) == []
    assert len(sent(dispatcher.answered(0, answer(0, 1, 2, 5), None, 0.1))) == 1


def test_nothing_is_queued_behind_what_may_be_slow() -> None:
    """Before anything is known of an item, and where each takes long, no other waits behind it."""
    dispatcher = opened(1)
    assert sent(given(dispatcher, 100)) == [(0, 0, 1)]
    assert sent(dispatcher.answered(0, answer(0, 0, 0, 1, 2.0), None, 2.0)) == [(0, 1, 2)]


def test_nothing_new_is_begun_while_it_holds_back() -> None:
    """What was sent ahead comes back too, it is said once, and all goes on by itself."""
    dispatcher = opened(1)
    given(dispatcher, 100)
    dispatcher.answered(0, answer(0, 0, 0, 1), None, 0.1)
    first = dispatcher.hold_back("it is hot", 0.2)
    assert [one.lane for one in of(Recall, first)] == [0]
    assert [one.message[:9] for one in of(Warn, first)] == ["it is hot"]
    assert sent(dispatcher.returned(0, [(1, 2, 5), (2, 5, 9)], 0.2)) == []
    assert sent(dispatcher.answered(0, answer(0, 1, 2, 2), None, 0.3)) == []
    assert of(Warn, dispatcher.hold_back("it is hotter", 0.4)) == []
    assert sent(dispatcher.hold_back(None, 0.6))


def finish_all(dispatcher: Dispatcher, lane: int, now: float) -> list[Action]:
    """What follows when a worker answers for all that it holds, and for what it is sent then."""
    actions: list[Action] = []
    while dispatcher.lanes[lane].holdings:
        holding = dispatcher.lanes[lane].holdings[0]
        ((start, stop),) = holding.open
        span = answer(lane, holding.number, start, stop)
        actions += dispatcher.answered(lane, span, None, now)
    return actions


def with_one_lane_idle() -> Dispatcher:
    """Lane 0 has items that wait behind the one it is at, lane 1 has nothing to do."""
    dispatcher = opened(2)
    given(dispatcher, 14)
    dispatcher.answered(0, answer(0, 0, 0, 1), None, 0.001)
    assert of(Recall, finish_all(dispatcher, 1, 0.002)) == []
    assert dispatcher.lanes[0].count > 1
    return dispatcher


def test_waiting_items_are_recalled_for_an_idle_lane() -> None:
    """Items that wait behind a slow one are asked back once another lane has nothing to do."""
    dispatcher = with_one_lane_idle()
    assert dispatcher.next_tick(0.002) is not None
    assert [one.lane for one in of(Recall, dispatcher.tick(0.03))] == [0]
    last = dispatcher.lanes[0].holdings[-1]
    stop = last.block.stop
    back = dispatcher.returned(0, [(last.number, stop - 1, stop)], 0.03)
    assert sent(back) == [(1, stop - 1, stop)]


def test_lane_with_nothing_to_give_is_not_asked_at_once_again() -> None:
    """An empty answer to a recall is not followed by the next recall in the same breath."""
    dispatcher = with_one_lane_idle()
    assert [one.lane for one in of(Recall, dispatcher.tick(0.05))] == [0]
    assert dispatcher.returned(0, [], 0.05) == []
    assert of(Recall, dispatcher.tick(0.06)) == []
    assert [one.lane for one in of(Recall, dispatcher.tick(0.08))] == [0]


def test_dead_worker_is_blamed_on_what_it_had_begun() -> None:
    """That item alone runs by itself and is ``crashed`` in the end; the others are unblamed."""
    dispatcher = opened(1)
    given(dispatcher, 3)
    dispatcher.answered(0, answer(0, 0, 0, 1), None, 0.0)
    (start,) = of(Start, dispatcher.died(0, "killed by SIGSEGV", Begun(1, 1, 2), 0.1))
    assert sent(dispatcher.ready(start.lane, 0.2)) == [(start.lane, 1, 2)]
    actions = dispatcher.died(start.lane, "killed by SIGSEGV", Begun(0, 1, 2), 0.3)
    (crash,) = of(Conclude, actions)
    assert (crash.block.first, crash.status, crash.attempts) == (1, "crashed", 2)
    (start,) = of(Start, actions)
    (send,) = of(Send, dispatcher.ready(start.lane, 0.4))
    assert (send.block.first, send.block.history.deaths) == (2, 0)


def test_worker_that_had_begun_nothing_blames_nobody() -> None:
    """All workers killed in one moment: what was sent to one that was dead is innocent."""
    dispatcher = opened(1)
    given(dispatcher, 1)
    for lane in range(2):
        (start,) = of(Start, dispatcher.died(lane, "killed by SIGKILL", None, 0.1))
        (send,) = of(Send, dispatcher.ready(start.lane, 0.2))
        assert send.block.history.deaths == 0


def test_workers_that_die_of_what_they_are_sent_come_to_an_end() -> None:
    """Even where none of them gets so far as to begin it."""
    dispatcher = opened(1)
    given(dispatcher, 1)
    for lane in range(10):
        actions = dispatcher.died(lane, "killed by SIGSEGV", None, 0.1)
        if of(Conclude, actions):
            break
        dispatcher.ready(lane + 1, 0.2)
    assert [one.status for one in of(Conclude, actions)] == ["crashed"]


def test_all_that_ran_side_by_side_is_suspect() -> None:
    """Of a worker with slots, every item that had been begun runs alone."""
    dispatcher = opened(1)
    given(dispatcher, 5, slots=5)
    (start,) = of(Start, dispatcher.died(0, "killed by SIGSEGV", Begun(0, 2, 3), 0.1))
    assert sent(dispatcher.ready(start.lane, 0.2)) == [(start.lane, 0, 1)]
    assert dispatcher.queued == 4
    dispatcher.answered(start.lane, answer(start.lane, 0, 0, 1), None, 0.3)
    assert [one.history.deaths for one in dispatcher._queue.quarantine] == [1]


def test_overdue_item_takes_its_worker_with_it_and_no_other_item() -> None:
    """The one is ``timed_out``, the worker is killed, the other is queued again at once."""
    dispatcher = opened(1, timeout_s=1.0)
    given(dispatcher, 3)
    dispatcher.answered(0, answer(0, 0, 0, 1), None, 0.0)
    actions = dispatcher.heard(0, [(1, 1, 1.5)], 1.5)
    assert of(Kill, actions) == [Kill(0, "an item took longer than 1 s")]
    assert [(one.block.first, one.status) for one in of(Conclude, actions)] == [(1, "timed_out")]
    dispatcher.died(0, "killed by SIGKILL", Begun(1, 1, 2), 1.6)
    (send,) = of(Send, dispatcher.ready(1, 1.7))
    assert (send.block.first, send.block.history.deaths) == (2, 0)


def test_what_a_heartbeat_told_of_is_known_until_it_is_answered_for() -> None:
    """Whoever looks on learns which item takes long, and for how long by now."""
    dispatcher = opened(1)
    given(dispatcher, 3)
    dispatcher.answered(0, answer(0, 0, 0, 1), None, 0.0)
    dispatcher.heard(0, [(1, 1, 1.5)], 2.0)
    assert list(dispatcher.at_work(3.0)) == [(0, "item", 2.5)]
    dispatcher.answered(0, answer(0, 1, 1, 2), None, 3.0)
    assert list(dispatcher.at_work(3.0)) == []


def test_retry_waits_without_holding_a_lane() -> None:
    """A transient failure is tried again after its delay, while the lane does other work."""
    dispatcher = opened(1, retries=1)
    given(dispatcher, 1)
    failure = Failure("OSError: busy", is_transient=True)
    assert dispatcher.answered(0, answer(0, 0, 0, 1, failure=failure), None, 0.1) == []
    assert dispatcher.in_flight == 0
    assert dispatcher.next_tick(0.1) == pytest.approx(1.1)
    (send,) = of(Send, dispatcher.tick(1.1))
    assert send.block.history.attempt == 2
    actions = dispatcher.answered(0, answer(0, 1, 0, 1, failure=failure), None, 1.2)
    assert [(one.status, one.attempts) for one in of(Conclude, actions)] == [("failed", 2)]


def test_failure_takes_no_other_item_with_it() -> None:
    """Of a span in which one failed, the others are done."""
    dispatcher = opened(1)
    given(dispatcher, 20)
    dispatcher.answered(0, answer(0, 0, 0, 1), None, 0.0)
    mixed = answer(0, 1, 1, 3)._replace(failures=[Failed(2, Failure("ValueError: no"), 0.1)])
    actions = dispatcher.answered(0, mixed, "columns", 0.1)
    assert [one.columns for one in of(Record, actions)] == ["columns"]
    assert [(one.block.first, one.status) for one in of(Conclude, actions)] == [(2, "failed")]


def test_starved_item_is_not_blamed() -> None:
    """One that lacked descriptors comes back alone, with the attempt not counted."""
    dispatcher = opened(1)
    given(dispatcher, 1)
    starved = Failure("OSError: [Errno 24]", is_starved=True)
    assert dispatcher.answered(0, answer(0, 0, 0, 1, failure=starved), None, 0.1) == []
    (send,) = of(Send, dispatcher.tick(1.1))
    assert (send.block.history.attempt, dispatcher.lanes[0].is_solo) == (1, True)


def test_cancelled_call_is_dropped_and_recalled() -> None:
    """What waits is ``cancelled``, what waits in lanes is asked back and then cancelled."""
    dispatcher = opened(1)
    given(dispatcher, 40)
    dispatcher.answered(0, answer(0, 0, 0, 1), None, 0.0)
    held = dispatcher.in_flight
    actions = dispatcher.cancel(0, 0.1)
    cancelled = of(Conclude, actions)
    assert {(one.status, one.attempts) for one in cancelled} == {("cancelled", 0)}
    assert sum(len(one.block.items) for one in cancelled) == 39 - held
    assert len(of(Recall, actions)) == 1
    (one,) = of(Conclude, dispatcher.returned(0, [(2, 5, 9)], 0.2))
    assert (one.status, one.block.first) == ("cancelled", 5)
    assert not dispatcher.drop_call(0)
    dispatcher.answered(0, answer(0, 1, 1, 5), None, 0.3)
    assert dispatcher.drop_call(0)


def test_worker_that_is_late_is_replaced() -> None:
    """It is killed with a warning; with a good worker gone as well, there is an end to it."""
    dispatcher = unopened(ready_s=5.0)
    dispatcher.open(0.0, 2)
    dispatcher.ready(0, 1.0)
    actions = dispatcher.tick(5.0)
    assert [len(of(kind, actions)) for kind in (Warn, Kill)] == [1, 1]
    assert len(of(Start, dispatcher.died(1, "killed", None, 5.0))) == 1
    assert len(of(Start, dispatcher.died(0, "killed", None, 5.0))) == 1
    assert [len(of(Kill, dispatcher.tick(time))) for time in (9.9, 10.0)] == [0, 2]
    assert len(of(Start, dispatcher.died(2, "killed", None, 10.0))) == 1
    assert of(Start, dispatcher.died(3, "killed", None, 10.0)) == []
    assert len(of(GiveUp, dispatcher.died(4, "killed", None, 10.0))) == 1


def test_worker_that_was_ready_is_replaced_whatever_others_did() -> None:
    """Starts that failed beside it are no reason to end when its item kills it."""
    dispatcher = unopened()
    dispatcher.open(0.0, 2)
    dispatcher.ready(0, 0.1)
    for number in (1, 2):
        assert len(of(Start, dispatcher.died(number, "exited with 1", None, 0.2))) == 1
    actions = dispatcher.died(3, "exited with 1", None, 0.3)
    assert [len(of(kind, actions)) for kind in (Start, Warn)] == [0, 1]
    actions = dispatcher.died(0, "killed by SIGSEGV", None, 0.4)
    assert [len(of(kind, actions)) for kind in (Start, GiveUp)] == [1, 0]


def test_worker_without_descriptors_has_time_while_others_work() -> None:
    """It is not late as long as it can't be started."""
    dispatcher = unopened(ready_s=5.0)
    dispatcher.open(0.0, 2)
    dispatcher.ready(0, 2.0)
    dispatcher.starts_later(1, 4.0)
    assert of(Kill, dispatcher.tick(5.0)) == []
    assert len(of(Kill, dispatcher.tick(9.0))) == 1


def test_pool_that_has_worked_waits_for_descriptors() -> None:
    """Also with nobody left: only a pool that never began gives up."""
    dispatcher = unopened(1, ready_s=5.0)
    dispatcher.open(0.0)
    dispatcher.ready(0, 1.0)
    dispatcher.died(0, "killed by SIGKILL", None, 2.0)
    for second in range(3, 30):
        dispatcher.starts_later(1, float(second))
        assert of(Kill, dispatcher.tick(second + 0.9)) == []

    unbegun = unopened(1, ready_s=5.0)
    unbegun.open(0.0)
    unbegun.starts_later(0, 4.0)
    assert len(of(GiveUp, unbegun.tick(5.0))) == 1


def test_silent_worker_is_looked_at_with_nobody_else_awake() -> None:
    """While it has something to do, the shell is woken for it now and then."""
    dispatcher = opened(1)
    given(dispatcher, 1)
    dispatcher.tick(10.0)
    assert dispatcher.next_tick(10.0) == 10.0 + LOOK_S
    assert dispatcher.silent_lanes(SUSPICIOUS_S) == [0]
    dispatcher.heard(0, [], 10.0)
    assert dispatcher.silent_lanes(10.0) == []


def test_idle_pool_sleeps() -> None:
    """With nothing to do there is nothing to wake up for."""
    assert opened(3).next_tick(1.0) is None


def test_failing_starts_end() -> None:
    """Three workers in a row that die before they are ready: no fourth is started."""
    dispatcher = unopened(1)
    dispatcher.open(0.0)
    for number in range(2):
        assert len(of(Start, dispatcher.died(number, "exited with 1", None, 0.1))) == 1
    actions = dispatcher.died(2, "exited with 1", None, 0.2)
    assert of(Start, actions) == []
    assert len(of(GiveUp, actions)) == 1


def test_story_tells_what_happened_to_an_item() -> None:
    """And to a lane: a failing stress run prints it."""
    dispatcher = opened(1)
    given(dispatcher, 1)
    dispatcher.died(0, "killed by SIGKILL", Begun(0, 0, 1), 0.5)
    assert [line.split()[1] for line in dispatcher.story.of_item(0, 0)] == ["sent"]
    assert any("died (killed by SIGKILL)" in line for line in dispatcher.story.of_lane(0))


def busy(lanes: int) -> Dispatcher:
    """A dispatcher with so many lanes at work, in blocks that have their size."""
    dispatcher = opened(lanes)
    dispatcher.add_call(0, ScriptedSource(0, 1 << 40), Traits(), 0.0)
    for _ in range(8):
        answer_all(dispatcher, range(lanes))
    return dispatcher


def answer_all(dispatcher: Dispatcher, lanes: Iterable[int]) -> float:
    """Answer for a block of each lane in turn; the processor's seconds for each."""
    began, count = thread_time(), 0
    for number in lanes:
        holding = dispatcher.lanes[number].holdings[0]
        span = answer(number, holding.number, holding.block.first, holding.block.stop)
        dispatcher.answered(number, span, None, 0.1)
        count += 1
    return (thread_time() - began) / count


def test_block_costs_the_same_with_many_lanes() -> None:
    """No decision on the happy path walks all lanes."""
    many, few = busy(256), busy(2)
    # In turns: whatever else the machine does meanwhile is done to both.
    pairs = [(answer_all(many, range(256)), answer_all(few, [0, 1] * 128)) for _ in range(40)]
    assert min(one for one, _ in pairs) < 1.5 * min(other for _, other in pairs)
