"""The dispatcher's single decisions."""

from __future__ import annotations

import pytest

from fsworkers.model import Job
from fsworkers.pool.actions import (
    Action,
    Failure,
    GiveUp,
    Kill,
    Recall,
    Record,
    Row,
    Send,
    Start,
    Warn,
)
from fsworkers.pool.dispatcher import LOOK_S, SUSPICIOUS_S, Dispatcher, RunTraits
from fsworkers.pool.lane import MAX_BLOCK_JOBS, Lane, tail_block_jobs
from fsworkers.pool.rules import Rules


def jobs(*ids: int) -> list[Job]:
    """Jobs of run 0."""
    return [Job(number, 0, "item", "item") for number in ids]


def rows(*ids: int, seconds: float = 0.001, failure: Failure | None = None) -> list[Row]:
    """Reports of attempts."""
    return [(number, None, failure, None, seconds, None) for number in ids]


def of(kind: type, actions: list[Action]) -> list[Action]:
    """The actions of one kind."""
    return [action for action in actions if isinstance(action, kind)]


def opened(workers: int = 2, **rules: float | None) -> Dispatcher:
    """A dispatcher whose workers are ready."""
    dispatcher = Dispatcher(Rules(workers, **rules), lambda attempt: attempt * 1.0)  # type: ignore[arg-type]
    dispatcher.add_run(0, RunTraits())
    dispatcher.open(0.0)
    for number in range(workers):
        dispatcher.ready(number, 0.0)
    return dispatcher


def test_no_job_leaves_before_every_worker_is_ready() -> None:
    """The first joiner gets nothing; after the ready timeout those that are there begin."""
    dispatcher = Dispatcher(Rules(2, ready_s=5.0), lambda _: 0.0)
    dispatcher.add_run(0, RunTraits())
    assert [action.lane for action in dispatcher.open(0.0) if isinstance(action, Start)] == [0, 1]
    assert dispatcher.add(jobs(1, 2), 0.1) == []
    assert dispatcher.ready(0, 0.2) == []
    late = dispatcher.tick(5.0)
    assert [action.lane for action in late if isinstance(action, Send)] == [0, 0]


def test_no_ready_worker_is_the_end() -> None:
    """When none gets ready in time there is one reason."""
    dispatcher = Dispatcher(Rules(2, ready_s=5.0), lambda _: 0.0)
    dispatcher.open(0.0)
    assert len(of(GiveUp, dispatcher.tick(5.0))) == 1
    assert of(GiveUp, dispatcher.tick(6.0)) == []


def test_lane_holds_two_blocks() -> None:
    """One runs, one waits; a third is sent when the first is answered."""
    dispatcher = opened(1)
    sent = of(Send, dispatcher.add(jobs(*range(10)), 0.0))
    assert [[job.id for job in send.jobs] for send in sent if isinstance(send, Send)] == [[0], [1]]
    (third,) = of(Send, dispatcher.results(0, rows(0), 0.1))
    assert isinstance(third, Send)
    assert [job.id for job in third.jobs] == [2, 3]


def test_blocks_grow_towards_fifty_milliseconds() -> None:
    """From one job, at most twofold of what was learned, to the work of a block, to a limit."""
    lane = Lane(0, 1, 0.0)
    sizes = []
    for _ in range(9):
        sizes.append(lane.next_block_jobs())
        lane.learn(sizes[-1], 0.001 * sizes[-1])
    assert sizes == [1, 2, 6, 18, 50, 50, 50, 50, 50]
    lane.learn(10_000, 0.0)
    for _ in range(20):
        lane.learn(1000, 0.0)
    assert lane.next_block_jobs() == MAX_BLOCK_JOBS


def test_slow_jobs_travel_alone() -> None:
    """A job longer than a block's work is a block of its own."""
    lane = Lane(0, 1, 0.0)
    lane.learn(100, 100.0)
    assert lane.next_block_jobs() == 1


def test_tail_is_dealt_out_evenly() -> None:
    """When no more will come, blocks shrink to a share of what is left."""
    assert [tail_block_jobs(queued, 2) for queued in (100, 10, 3, 1, 0)] == [25, 3, 1, 1, 1]


def test_waiting_jobs_are_recalled_for_an_idle_lane() -> None:
    """Jobs that wait behind a slow one are asked back once another lane has nothing to do."""
    dispatcher = opened(2)
    dispatcher.more_may_come = False
    dispatcher.add(jobs(0, 1, 2, 3), 0.0)
    assert {number: list(lane.held) for number, lane in dispatcher.lanes.items()} == {
        0: [0, 2],
        1: [1, 3],
    }
    assert of(Recall, dispatcher.results(1, rows(1, 3), 0.001)) == []
    tick = dispatcher.next_tick(0.001)
    assert tick is not None
    assert dispatcher.tick(tick) == [Recall(0, 1)]
    (send,) = of(Send, dispatcher.returned(0, [2], 0.03))
    assert isinstance(send, Send)
    assert (send.lane, [job.id for job in send.jobs]) == (1, [2])


def test_lane_with_nothing_to_give_is_not_asked_at_once_again() -> None:
    """An empty answer to a recall is not followed by the next recall in the same breath."""
    dispatcher = opened(2)
    dispatcher.more_may_come = False
    dispatcher.add(jobs(0, 1, 2, 3), 0.0)
    dispatcher.results(1, rows(1, 3), 0.001)
    assert dispatcher.tick(0.05) == [Recall(0, 1)]
    assert dispatcher.returned(0, [], 0.05) == []
    assert dispatcher.tick(0.06) == []
    assert dispatcher.tick(0.08) == [Recall(0, 1)]


def test_jobs_of_a_dead_worker_run_alone() -> None:
    """Each is sent by itself to an idle lane; a second death has one suspect."""
    dispatcher = opened(1)
    dispatcher.add(jobs(0, 1), 0.0)
    (start,) = of(Start, dispatcher.died(0, "killed by SIGSEGV", 0.1))
    assert isinstance(start, Start)
    (send,) = of(Send, dispatcher.ready(start.lane, 0.2))
    assert isinstance(send, Send)
    assert len(send.jobs) == 1
    actions = dispatcher.died(start.lane, "killed by SIGSEGV", 0.3)
    (record,) = of(Record, actions)
    assert isinstance(record, Record)
    ((job, outcome, _),) = record.settled
    assert (job.id, outcome.status, outcome.attempts) == (0, "crashed", 2)
    assert dispatcher.queued == 1


def test_overdue_job_takes_its_worker_with_it_and_no_other_job() -> None:
    """The one is ``timed_out``, the worker is killed, the other job is queued again at once."""
    dispatcher = opened(1, timeout_s=1.0)
    dispatcher.add(jobs(0, 1), 0.0)
    actions = dispatcher.heard(0, [(0, 1.5)], 1.5)
    assert of(Kill, actions) == [Kill(0, "a job took longer than 1 s")]
    (record,) = of(Record, actions)
    assert isinstance(record, Record)
    assert [outcome.status for _, outcome, _ in record.settled] == ["timed_out"]
    dispatcher.died(0, "killed by SIGKILL", 1.6)
    (send,) = of(Send, dispatcher.ready(1, 1.7))
    assert isinstance(send, Send)
    assert [(job.id, job.deaths) for job in send.jobs] == [(1, 0)]


def test_retry_waits_without_holding_a_lane() -> None:
    """A transient failure is tried again after its delay, while the lane does other work."""
    dispatcher = opened(1, retries=1)
    dispatcher.add(jobs(0), 0.0)
    failure = Failure("OSError: busy", is_transient=True)
    assert dispatcher.results(0, rows(0, failure=failure), 0.1) == []
    assert dispatcher.in_flight == 0
    assert dispatcher.next_tick(0.1) == pytest.approx(1.1)
    (send,) = of(Send, dispatcher.tick(1.1))
    assert isinstance(send, Send)
    assert send.jobs[0].attempt == 2
    (record,) = of(Record, dispatcher.results(0, rows(0, failure=failure), 1.2))
    assert isinstance(record, Record)
    assert (record.settled[0][1].status, record.settled[0][1].attempts) == ("failed", 2)


def test_starved_job_is_not_blamed() -> None:
    """A job that lacked descriptors comes back alone, with the attempt not counted."""
    dispatcher = opened(1)
    dispatcher.add(jobs(0), 0.0)
    starved = Failure("OSError: [Errno 24]", is_starved=True)
    assert dispatcher.results(0, rows(0, failure=starved), 0.1) == []
    (send,) = of(Send, dispatcher.tick(1.1))
    assert isinstance(send, Send)
    assert (send.jobs[0].attempt, dispatcher.lanes[0].is_solo) == (1, True)


def test_late_results_of_a_dead_worker_stand() -> None:
    """What a worker had sent before it died is taken, and not executed again."""
    dispatcher = opened(1)
    dispatcher.add(jobs(0, 1), 0.0)
    dispatcher.died(0, "killed by SIGKILL", 0.1)
    (record,) = of(Record, dispatcher.results(0, rows(0), 0.2))
    assert isinstance(record, Record)
    assert [(job.id, outcome.attempts) for job, outcome, _ in record.settled] == [(0, 1)]
    assert dispatcher.queued == 1


def test_cancelled_run_is_dropped_and_recalled() -> None:
    """What waits here is ``cancelled``, what waits in lanes is asked back and then cancelled."""
    dispatcher = opened(1)
    dispatcher.add(jobs(0, 1, 2), 0.0)
    actions = dispatcher.cancel(0, 0.1)
    (record,) = of(Record, actions)
    assert isinstance(record, Record)
    assert [(job.id, outcome.attempts) for job, outcome, _ in record.settled] == [(2, 0)]
    assert len(of(Recall, actions)) == 1
    (record,) = of(Record, dispatcher.returned(0, [1], 0.2))
    assert isinstance(record, Record)
    assert record.settled[0][1].status == "cancelled"


def test_worker_that_is_late_is_replaced() -> None:
    """It is killed with a warning; with a good worker gone as well, there is an end to it."""
    dispatcher = Dispatcher(Rules(2, ready_s=5.0), lambda _: 0.0)
    dispatcher.open(0.0)
    dispatcher.ready(0, 1.0)
    actions = dispatcher.tick(5.0)
    assert [len(of(kind, actions)) for kind in (Warn, Kill)] == [1, 1]
    assert len(of(Start, dispatcher.died(1, "killed", 5.0))) == 1
    assert len(of(Start, dispatcher.died(0, "killed", 5.0))) == 1
    assert [len(of(Kill, dispatcher.tick(time))) for time in (9.9, 10.0)] == [0, 2]
    assert len(of(Start, dispatcher.died(2, "killed", 10.0))) == 1
    assert of(Start, dispatcher.died(3, "killed", 10.0)) == []
    assert len(of(GiveUp, dispatcher.died(4, "killed", 10.0))) == 1


def test_worker_that_was_ready_is_replaced_whatever_others_did() -> None:
    """Starts that failed beside it are no reason to end when its job kills it."""
    dispatcher = Dispatcher(Rules(2), lambda _: 0.0)
    dispatcher.open(0.0)
    dispatcher.ready(0, 0.1)
    for number in (1, 2):
        assert len(of(Start, dispatcher.died(number, "exited with 1", 0.2))) == 1
    actions = dispatcher.died(3, "exited with 1", 0.3)
    assert [len(of(kind, actions)) for kind in (Start, Warn)] == [0, 1]
    actions = dispatcher.died(0, "killed by SIGSEGV", 0.4)
    assert [len(of(kind, actions)) for kind in (Start, GiveUp)] == [1, 0]


def test_worker_without_descriptors_has_time_while_others_work() -> None:
    """It is not late as long as it can't be started."""
    dispatcher = Dispatcher(Rules(2, ready_s=5.0), lambda _: 0.0)
    dispatcher.open(0.0)
    dispatcher.ready(0, 2.0)
    dispatcher.starts_later(1, 4.0)
    dispatcher.heard(0, [], 4.0)
    assert of(Kill, dispatcher.tick(5.0)) == []
    dispatcher.heard(0, [], 9.0)
    assert len(of(Kill, dispatcher.tick(9.0))) == 1


def test_pool_that_has_worked_waits_for_descriptors() -> None:
    """Also with nobody left: only a pool that never began gives up."""
    dispatcher = Dispatcher(Rules(1, ready_s=5.0), lambda _: 0.0)
    dispatcher.open(0.0)
    dispatcher.ready(0, 1.0)
    dispatcher.died(0, "killed by SIGKILL", 2.0)
    for second in range(3, 30):
        dispatcher.starts_later(1, float(second))
        assert of(Kill, dispatcher.tick(second + 0.9)) == []

    unbegun = Dispatcher(Rules(1, ready_s=5.0), lambda _: 0.0)
    unbegun.open(0.0)
    unbegun.starts_later(0, 4.0)
    assert len(of(GiveUp, unbegun.tick(5.0))) == 1


def test_silent_worker_is_looked_at_with_nobody_else_awake() -> None:
    """The shell is woken for it when it becomes suspicious, and now and then after that."""
    dispatcher = opened(1)
    assert dispatcher.next_tick(0.0) == SUSPICIOUS_S
    assert dispatcher.next_tick(10.0) == 10.0 + LOOK_S
    assert dispatcher.silent_lanes(10.0) == [0]
    dispatcher.heard(0, [], 10.0)
    assert dispatcher.silent_lanes(10.0) == []
    assert dispatcher.next_tick(10.0) == 10.0 + SUSPICIOUS_S


def test_failing_starts_end() -> None:
    """Three workers in a row that die before they are ready: no fourth is started."""
    dispatcher = Dispatcher(Rules(1), lambda _: 0.0)
    dispatcher.open(0.0)
    for number in range(2):
        assert len(of(Start, dispatcher.died(number, "exited with 1", 0.1))) == 1
    actions = dispatcher.died(2, "exited with 1", 0.2)
    assert of(Start, actions) == []
    assert len(of(GiveUp, actions)) == 1
