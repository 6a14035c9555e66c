"""What is to be done about a line that stands still, decided over plain data."""

from __future__ import annotations

from fsworkers.graceful.budget.deadlock import (
    COLLECT,
    GIVE_UP,
    NOTHING,
    RESCUE,
    StallClock,
    all_wait,
)
from fsworkers.graceful.budget.line import Request, Waiter


def ask(owner: int, count: int = 1, blocks: int = 0) -> Waiter:
    """One in the line."""
    return Waiter(Request(count, None, 0.0), owner, lambda: None, blocks)


def own_thread(owner: int) -> int:
    """Each owner a thread of its own."""
    return abs(owner)


def test_holders_that_all_ask_wait() -> None:
    """Each of two holds one of two and asks for another."""
    waiting = [ask(1, blocks=1), ask(2, blocks=2)]
    assert all_wait(waiting, [1, 2], own_thread)


def test_one_holder_that_works_is_hope() -> None:
    """Whatever it does, it may give back."""
    assert not all_wait([ask(1, blocks=1)], [1, 2], own_thread)


def test_a_blocked_loop_thread_blocks_all_its_tasks() -> None:
    """A blocking wait on the loop's thread stops tasks that ask for nothing."""
    assert all_wait([ask(7, blocks=7)], [-5], lambda owner: 7)


def test_what_a_loop_keeps_for_itself_is_no_hope() -> None:
    """Its own sockets outlive its tasks' waiting; another task of it may well give back."""
    assert all_wait([ask(-5)], [7, -5], lambda owner: 7)
    assert not all_wait([ask(-5)], [-6], lambda owner: 7)


def test_steps_follow_one_another() -> None:
    """Garbage is looked for first, then the reserve helps; in the end the line is given up."""
    clock = StallClock()
    steps = [clock.next_step("as it was", 0, 0, 0.1 * tenths, 4.0) for tenths in range(50)]
    changes = [(0.1 * at, step) for at, step in enumerate(steps) if step != ([NOTHING, *steps])[at]]
    assert [(round(at_s, 1), step) for at_s, step in changes] == [
        (0.3, COLLECT),
        (1.5, RESCUE),
        (1.6, COLLECT),
        (3.0, RESCUE),
        (3.1, COLLECT),
        (4.0, GIVE_UP),
        (4.1, COLLECT),
        (4.5, GIVE_UP),
        (4.6, RESCUE),
        (4.7, COLLECT),
    ]


def test_whatever_moves_begins_it_anew() -> None:
    """Also after one was ended, for those who are left."""
    clock = StallClock()
    assert clock.next_step(1, 0, 0, 0.0, 2.0) == NOTHING
    assert clock.next_step(2, 0, 0, 10.0, 2.0) == NOTHING
    assert clock.next_step(2, 0, 0, 12.0, 2.0) == GIVE_UP
    clock.begin_anew(12.0)
    assert clock.next_step(2, 0, 0, 12.2, 2.0) == NOTHING
    assert clock.next_step(2, 0, 0, 14.0, 2.0) == GIVE_UP


def test_garbage_found_is_looked_for_again_soon() -> None:
    """Whoever leaves some likely leaves more."""
    clock = StallClock()
    clock.next_step(1, 0, 0, 0.0, None)
    clock.note_find(0.3)
    clock.next_step(2, 0, 0, 0.3, None)
    assert clock.next_step(2, 0, 0, 0.33, None) == COLLECT
    assert clock.is_pressing(0.33)
    assert not clock.is_pressing(1.9)


def test_a_rescue_that_was_of_use_is_followed_by_another_soon() -> None:
    """Something came back after it: the knot is of a kind that the reserve undoes."""
    clock = StallClock()
    clock.next_step(1, 0, 0, 0.0, None)
    assert clock.next_step(1, 0, 0, 1.5, None) == RESCUE
    assert clock.next_step(2, 0, 0, 1.51, None) == NOTHING  # it was served: no more than that
    assert clock.next_step(2, 0, 0, 1.6, None) == NOTHING
    assert clock.next_step(2, 1, 0, 1.7, None) == NOTHING  # and something came back
    assert clock.next_step(2, 1, 0, 1.81, None) == RESCUE
    assert clock.next_step(2, 1, 0, 1.92, None) == RESCUE
    assert clock.next_step(2, 1, 0, 4.0, None) == RESCUE
    assert clock.next_step(2, 1, 0, 4.1, None) == COLLECT


def test_nobody_is_rescued_while_others_still_come() -> None:
    """A loop that has ten thousand tasks to begin gives nothing back meanwhile; not for ever."""
    clock = StallClock()
    steps = [clock.next_step(1, 0, tenths, 0.1 * tenths, None) for tenths in range(60)]
    assert RESCUE not in steps[:45]
    assert RESCUE in steps[45:]
