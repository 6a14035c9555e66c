"""The pure line: who is served next, under any order of events."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    precondition,
    rule,
)

from fsworkers.graceful.errors import BudgetTooSmall
from fsworkers.graceful.ledger import (
    GONE,
    GRANTED,
    GROW_S,
    HOLDER_S,
    PASS_ON_S,
    WAITING,
    Ledger,
    Ticket,
)


def ticket(count: int = 1, owner: int = 1, *, is_holder: bool = False, held: int = 0) -> Ticket:
    """One that is to stand in the line."""
    label = f"file of {owner}"
    return Ticket(count, owner, label, lambda: None, held=held, is_holder=is_holder or held > 0)


def serve(ledger: Ledger, lent: int) -> list[Ticket]:
    """Serve whoever can be served, as the shell does."""
    served = []
    while (head := ledger.next_grant(lent, 1.0)) is not None:
        ledger.grant(head, 1.0)
        lent += head.count
        served.append(head)
    return served


def test_a_large_request_at_the_head_holds_back_small_ones_behind_it() -> None:
    """Nobody overtakes, even where the next one would fit."""
    ledger = Ledger(6)
    large, small = ticket(6), ticket(1)
    ledger.arrive(large, 0.0)
    ledger.arrive(small, 0.0)
    assert serve(ledger, lent=1) == []
    assert serve(ledger, lent=0) == [large]


def test_a_withdrawn_head_lets_the_next_pass() -> None:
    """A waiter that gives up takes nothing and holds nobody up."""
    ledger = Ledger(6)
    large, small = ticket(6), ticket(1)
    ledger.arrive(large, 0.0)
    ledger.arrive(small, 0.0)
    ledger.withdraw(large, 1.0)
    assert large.state == GONE
    assert serve(ledger, lent=1) == [small]


def test_more_than_the_budget_is_refused_at_once() -> None:
    """A request that no wait could meet fails with both figures."""
    with pytest.raises(BudgetTooSmall, match="needs 2, budget 1"):
        Ledger(1).arrive(ticket(2), 0.0)


def test_a_refused_operation_goes_before_all_others_and_stays_there() -> None:
    """The kernel's refusal does not cost the place in the line, however often it comes."""
    ledger = Ledger(4)
    first, second, late = ticket(), ticket(), ticket()
    ledger.arrive(late, 0.0)
    ledger.refuse(first, 2, 0.0, pause_s=0.0, machine_wide=False)
    ledger.refuse(second, 2, 0.0, pause_s=0.0, machine_wide=True)
    assert ledger.in_line() == [first, second, late]
    assert (ledger.capacity, ledger.refused, ledger.refused_machine) == (2, 2, 1)
    served = serve(ledger, lent=1)
    assert served == [first]
    ledger.refuse(first, 1, 0.0, pause_s=0.0, machine_wide=False)
    assert ledger.in_line() == [first, second, late]


def test_capacity_grows_back_slowly_and_never_beyond_the_ceiling() -> None:
    """After pressure one more may try, then two, then four, with a pause in between."""
    ledger = Ledger(10)
    for _ in range(20):
        ledger.arrive(ticket(), 0.0)
    ledger.refuse(ticket(), 0, 0.0, pause_s=1.0, machine_wide=False)
    assert not ledger.recover(0, 0.9)
    steps = []
    for look in range(5):
        ledger.recover(ledger.capacity, 1.0 + look)
        assert not ledger.recover(ledger.capacity, 1.0 + look)
        steps.append(ledger.capacity)
    assert steps == [1, 3, 7, 10, 10]


def test_an_idle_while_counts_as_many_steps() -> None:
    """Nobody looked; the capacity is what it would be if somebody had, and never more."""
    ledger = Ledger(100)
    refused = ticket()
    ledger.refuse(refused, 10, 0.0, pause_s=1.0, machine_wide=False)
    ledger.withdraw(refused, 0.0)
    assert ledger.recover(0, 1.0 + 2.5 * GROW_S)
    assert ledger.capacity == 10 + 1 + 2 + 4
    assert ledger.recover(0, 60.0)
    assert ledger.capacity == 100


def test_a_refusal_ends_the_recovery_that_was_under_way() -> None:
    """The next step waits for the pause, and is a single one again."""
    ledger = Ledger(100)
    refused = ticket()
    ledger.refuse(refused, 10, 0.0, pause_s=0.0, machine_wide=False)
    assert ledger.recover(9, 0.0)
    assert serve(ledger, lent=9) == [refused]
    ledger.refuse(refused, 9, 0.5, pause_s=1.0, machine_wide=False)
    assert not ledger.recover(9, 1.4)
    assert ledger.recover(9, 60.0)
    assert ledger.capacity == 10


def test_a_shrunk_budget_ends_those_it_can_never_serve() -> None:
    """Resizing below a waiting request fails that request, and only that."""
    ledger = Ledger(8)
    large, small = ticket(6), ticket(2)
    ledger.arrive(large, 0.0)
    ledger.arrive(small, 0.0)
    assert ledger.resize(4, 1.0) == [large]
    assert isinstance(large.error, BudgetTooSmall)
    assert serve(ledger, lent=0) == [small]


def test_a_rescued_ticket_is_served_beyond_the_capacity_once() -> None:
    """The loan out of the reserve is repaid before anybody else is served."""
    ledger = Ledger(2)
    holder, other = ticket(owner=1), ticket(owner=2)
    ledger.arrive(other, 0.0)
    ledger.arrive(holder, 0.0)
    ledger.rescue(holder, lent=2)
    assert serve(ledger, lent=2) == [holder]
    assert ledger.loan == 1
    assert serve(ledger, lent=2) == []
    assert serve(ledger, lent=1) == [other]


def test_those_who_gave_up_do_not_fill_the_line() -> None:
    """A head that waits long behind a thousand time-outs costs no memory for them."""
    ledger = Ledger(1)
    for _ in range(1000):
        gone = ticket()
        ledger.arrive(gone, 0.0)
        ledger.withdraw(gone, 0.0)
    assert len(ledger._line) < 20


def test_holders_go_before_newcomers() -> None:
    """In order among themselves, behind those whom the kernel refused."""
    ledger = Ledger(4)
    newcomer, refused = ticket(owner=1), ticket(owner=2)
    holders = [ticket(owner=number, is_holder=True) for number in (3, 4)]
    for one in (newcomer, *holders):
        ledger.arrive(one, 0.0)
    ledger.refuse(refused, 4, 0.0, pause_s=0.0, machine_wide=False)
    assert ledger.in_line() == [refused, *holders, newcomer]
    assert serve(ledger, lent=0) == [refused, *holders, newcomer]


def test_newcomer_that_was_overtaken_for_long_is_overtaken_no_more() -> None:
    """It is served before holders that came after it, and after those that came before."""
    ledger = Ledger(1)
    early, newcomer = ticket(owner=1, is_holder=True), ticket(owner=2)
    late = ticket(owner=3, is_holder=True)
    for one in (early, newcomer, late):
        ledger.arrive(one, 0.0)
    assert ledger.head(HOLDER_S) is early
    ledger.withdraw(early, HOLDER_S)
    assert ledger.head(HOLDER_S / 2) is late
    assert ledger.head(HOLDER_S) is newcomer


def test_one_holder_at_a_time_has_more_than_there_is() -> None:
    """Until it holds nothing; the others, and newcomers, get none of it."""
    ledger = Ledger(2)
    ledger.extra = 2
    first, second, newcomer = (ticket(owner=number, is_holder=number < 3) for number in (1, 2, 3))
    for one in (newcomer, first, second):
        ledger.arrive(one, 0.0)
    assert serve(ledger, lent=2) == [first]
    assert (ledger.privileged, ledger.loan, ledger.rescued) == (1, 1, 1)
    again = ticket(owner=1, is_holder=True)
    ledger.arrive(again, 0.0)
    assert serve(ledger, lent=3) == [again]
    ledger.review_privilege(3, 1.0)
    assert serve(ledger, lent=4) == []
    ledger.review_privilege(0, 1.0)
    assert serve(ledger, lent=0) == [second, newcomer]


def test_privilege_ends_when_its_owner_holds_what_it_held_before() -> None:
    """Whoever keeps a log file and opens one after another is not before others for ever."""
    ledger = Ledger(2)
    ledger.extra = 1
    first, second = ticket(owner=1, held=1), ticket(owner=2, held=1)
    ledger.arrive(first, 0.0)
    ledger.arrive(second, 0.0)
    assert serve(ledger, lent=2) == [first]
    ledger.review_privilege(2, 0.0)
    assert serve(ledger, lent=3) == []
    ledger.review_privilege(1, 0.0)
    ledger.arrive(ticket(owner=1, held=1), 0.0)
    assert serve(ledger, lent=2) == [second]


def test_privilege_without_use_passes_on() -> None:
    """Whoever holds for good and asks for nothing more does not keep it."""
    ledger = Ledger(1)
    ledger.extra = 1
    ledger.arrive(ticket(owner=1, is_holder=True), 0.0)
    assert serve(ledger, lent=1)
    second = ticket(owner=2, is_holder=True)
    ledger.arrive(second, 0.0)
    ledger.review_privilege(2, 0.0)
    ledger.review_privilege(2, PASS_ON_S)
    assert serve(ledger, lent=1) == []
    ledger.review_privilege(2, 2 * PASS_ON_S)
    assert serve(ledger, lent=1) == [second]


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_no_knot_is_formed(data: st.DataObject) -> None:
    """Whoever needs no more than the extra ones and one at a time comes to an end, and so do all.

    In any order of steps, with some that hold for good and ask for nothing.
    """
    capacity, extra = data.draw(st.integers(2, 6)), data.draw(st.integers(1, 4))
    depths = data.draw(st.lists(st.integers(1, extra + 1), min_size=1, max_size=12))
    ledger, lent, now_s = Ledger(capacity), data.draw(st.integers(0, capacity - 1)), 0.0
    ledger.extra = extra
    held = dict.fromkeys(range(1, len(depths) + 1), 0)
    ready = set(held)
    while held:
        if not ready:  # only time can help
            now_s += PASS_ON_S
        else:
            owner = data.draw(st.sampled_from(sorted(ready)))
            ready.remove(owner)
            if held[owner] == depths[owner - 1]:
                lent -= held.pop(owner)
            else:
                ledger.arrive(ticket(owner=owner, held=held[owner]), now_s)
        if ledger.privileged:
            ledger.review_privilege(held.get(ledger.privileged, 0), now_s)
        served = 0
        while (head := ledger.next_grant(lent, now_s)) is not None:
            ledger.grant(head, now_s)
            lent += 1
            held[head.owner] += 1
            ready.add(head.owner)
            served += 1
            assert lent <= capacity + extra
        assert ready or served or not held, "a knot"
        now_s += 0.001


class Line(RuleBasedStateMachine):
    """Any order of arrivals, cancels, returns, refusals and resizes."""

    tickets = Bundle("tickets")

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(5)
        self.ledger.extra = 2
        self.lent = 0
        self.all: list[Ticket] = []
        self.held: list[Ticket] = []
        self.arrived: list[Ticket] = []
        self.now_s = 0.0
        self.rescued: Ticket | None = None

    def settle(self) -> None:
        """Serve as the shell does, checking order and sum at each step."""
        self.now_s += 1.0
        if self.ledger.privileged:
            count = sum(one.count for one in self.held if one.owner == self.ledger.privileged)
            self.ledger.review_privilege(count, self.now_s)
        while (head := self.ledger.next_grant(self.lent, self.now_s)) is not None:
            is_favoured = head.owner == self.ledger.privileged and not self.ledger.streak
            assert head is self.rescued or head is self.first() or is_favoured
            if head is not self.rescued and head is not self.first():
                assert self.lent + head.count <= self.ledger.capacity + self.ledger.extra
            self.ledger.grant(head, self.now_s)
            self.lent += head.count
            assert self.lent <= self.ledger.capacity + self.ledger.loan
            self.rescued = None
            self.held.append(head)

    def first(self) -> Ticket:
        """Refused ones, holders, newcomers; but a newcomer is not overtaken for ever."""
        line = [one for one in self.all if one.state == WAITING]
        newcomers = [one for one in line if one.order > 0 and not one.is_holder]
        others = [one for one in line if one not in newcomers]
        if others and newcomers:
            newcomer, other = min(newcomers), min(others)
            is_overdue = newcomer < other and self.now_s - newcomer.since_s >= HOLDER_S
            return newcomer if is_overdue else other
        return min(line)

    @rule(target=tickets, count=st.integers(1, 7), is_holder=st.booleans())
    def arrive(self, count: int, is_holder: bool) -> Ticket:
        one = ticket(count, owner=len(self.all) + 1, is_holder=is_holder)
        self.all.append(one)
        if count > self.ledger.ceiling:
            with pytest.raises(BudgetTooSmall):
                self.ledger.arrive(one, self.now_s)
        else:
            self.ledger.arrive(one, self.now_s)
        self.settle()
        return one

    @rule(one=consumes(tickets))
    def cancel(self, one: Ticket) -> None:
        if one.state == GRANTED and one in self.held:
            self.held.remove(one)
            self.lent -= one.count
        self.ledger.withdraw(one, self.now_s)
        self.settle()

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.held))
        self.held.remove(one)
        self.lent -= one.count
        self.settle()

    @precondition(lambda self: self.held)
    @rule(data=st.data(), pause_s=st.floats(0.0, 5.0), machine_wide=st.booleans())
    def refuse(self, data: st.DataObject, pause_s: float, machine_wide: bool) -> None:
        one = data.draw(st.sampled_from(self.held))
        self.held.remove(one)
        self.lent -= one.count
        again = ticket(one.count, one.owner, is_holder=one.is_holder)
        again.order = one.order
        self.all.append(again)
        self.ledger.refuse(again, self.lent, self.now_s, pause_s=pause_s, machine_wide=machine_wide)
        head = self.ledger.head(self.now_s)
        assert head is again or head.order < 0  # type: ignore[union-attr]
        assert self.ledger.capacity <= self.lent
        if pause_s > 0.01:
            assert not self.ledger.recover(self.lent, self.now_s + pause_s / 2)
        self.settle()

    @rule()
    def shrink(self) -> None:
        """Code without permits was refused: half stays, and what is lent."""
        before = self.ledger.capacity
        self.ledger.shrink(self.lent, self.now_s, pause_s=0.01, machine_wide=False)
        assert self.ledger.capacity <= before
        assert self.ledger.capacity >= min(before, max(self.lent, before // 2))

    @rule(ceiling=st.integers(1, 9))
    def resize(self, ceiling: int) -> None:
        for unmet in self.ledger.resize(ceiling, self.now_s):
            assert unmet.count > ceiling
            assert unmet.state == GONE
        self.settle()

    @precondition(lambda self: self.ledger.waiting)
    @rule(data=st.data())
    def rescue(self, data: st.DataObject) -> None:
        """Whoever it is, it is served now; nobody else is, on the loan made for it."""
        one = data.draw(st.sampled_from(self.ledger.in_line()))
        self.rescued = one
        self.ledger.rescue(one, self.lent)
        assert self.ledger.loan <= max(0, self.lent + one.count - self.ledger.capacity)
        held = list(self.held)
        self.settle()
        assert self.held[len(held)] is one

    @rule(idle_s=st.floats(0.0, 3.0))
    def time_passes(self, idle_s: float) -> None:
        self.now_s += idle_s
        before = self.ledger.capacity
        rose = self.ledger.recover(self.lent, self.now_s)
        assert rose == (self.ledger.capacity > before)
        if self.ledger.head(self.now_s) is None and self.now_s > self.ledger.next_try_s + 1.0:
            assert self.ledger.capacity == self.ledger.ceiling
        self.settle()

    @invariant()
    def counts_add_up(self) -> None:
        assert self.lent == sum(one.count for one in self.held)
        assert self.lent >= 0
        assert self.ledger.capacity <= self.ledger.ceiling
        assert self.ledger.waiting == sum(one.state == WAITING for one in self.all)

    @invariant()
    def nobody_waits_in_vain(self) -> None:
        head = self.ledger.head(self.now_s)
        assert head is None or self.lent + head.count > self.ledger.capacity

    def teardown(self) -> None:
        """All come back, and then everyone who still waits is served."""
        self.ledger.resize(max(self.ledger.ceiling, 9), self.now_s)
        for _ in range(1000):
            while self.held:
                self.lent -= self.held.pop().count
            self.ledger.recover(self.lent, self.now_s)
            self.settle()
        assert self.ledger.waiting == 0
        while self.held:
            self.lent -= self.held.pop().count
        assert self.lent == 0


Line.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestLine = Line.TestCase
