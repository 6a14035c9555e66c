"""Hold and wait, decided over plain data."""

from __future__ import annotations

from fsworkers.graceful.holding import Stall, blocked_owners, is_stuck, ring
from fsworkers.graceful.ledger import Ticket


def ask(owner: int, count: int = 1, blocks: int = 0) -> Ticket:
    """One in the line."""
    return Ticket(count, owner, None, lambda: None, blocks)


def own_thread(owner: int) -> int:
    """Each owner a thread of its own."""
    return abs(owner)


def test_holders_that_all_wait_are_stuck() -> None:
    """Each of two holds one of two and asks for another."""
    waiting = [ask(1, blocks=1), ask(2, blocks=2)]
    held = {1: 1, 2: 1}
    blocked = blocked_owners(waiting, held, own_thread)
    assert blocked == {1, 2}
    assert is_stuck(waiting, held, blocked, spare=0)


def test_one_holder_that_works_is_hope() -> None:
    """As long as one who holds enough does not wait, the line will move."""
    waiting = [ask(1, blocks=1)]
    held = {1: 1, 2: 1}
    assert not is_stuck(waiting, held, blocked_owners(waiting, held, own_thread), spare=0)


def test_a_working_holder_with_too_little_is_no_hope() -> None:
    """The head wants three; the one who works could give one."""
    waiting = [ask(1, count=3, blocks=1)]
    held = {1: 3, 2: 1}
    assert is_stuck(waiting, held, blocked_owners(waiting, held, own_thread), spare=0)


def test_a_blocked_loop_thread_blocks_all_its_tasks() -> None:
    """A blocking wait on the loop's thread stops tasks that ask for nothing."""
    waiting = [ask(7, blocks=7)]
    held = {-5: 2}
    assert blocked_owners(waiting, held, lambda owner: 7) == {-5}


def test_waiters_without_holders_are_no_deadlock() -> None:
    """A budget that is all with foreign code is pressure, not a deadlock."""
    waiting = [ask(1, blocks=1)]
    assert not is_stuck(waiting, {}, frozenset(), spare=0)


def test_the_ring_is_of_those_who_hold_oldest_first() -> None:
    """Newcomers who hold nothing are not served first: that would free nothing."""
    newcomer, older, younger = ask(3, blocks=3), ask(1, blocks=1), ask(2, blocks=2)
    blocked = frozenset({1, 2})
    assert ring([newcomer, older, younger], blocked, own_thread, own_thread, {}) == [older, younger]


def test_a_child_task_stands_for_the_parent_that_awaits_it() -> None:
    """The asker holds nothing itself, but its parent does."""
    stranger, child = ask(-3), ask(-2)
    found = ring([stranger, child], frozenset({-1}), own_thread, int, {-2: frozenset({-1})})
    assert found == [child]


def test_a_stall_is_confirmed_only_when_nothing_moved() -> None:
    """Two looks, some time apart, with the same progress; then the next step comes sooner."""
    stall = Stall()
    assert stall.has_moved((1, 1), 10.0)
    assert not stall.has_moved((1, 1), 10.25)
    assert not stall.is_confirmed(10.25)
    assert stall.has_moved((1, 2), 10.5)
    assert not stall.has_moved((1, 2), 10.8)
    assert stall.is_confirmed(10.81)
    assert stall.is_confirmed(10.84)


def test_a_presumption_needs_a_longer_silence_but_for_the_jam_that_follows() -> None:
    """After the first step the next ones come soon; what is only a guess goes on at its pace."""
    stall = Stall()
    stall.has_moved(1, 10.0)
    assert not stall.is_quiet(11.4)
    assert stall.is_quiet(11.5)
    assert stall.is_long_quiet(11.5)
    stall.note_step(11.5)
    assert not stall.is_quiet(11.51)
    assert stall.is_quiet(11.53)
    assert not stall.is_long_quiet(12.9)
    assert stall.is_long_quiet(13.0)
