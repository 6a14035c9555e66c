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

from fsworkers.graceful.budget.line import (
    GONE,
    GRANTED,
    GROW_S,
    HOLDER_S,
    PASS_ON_S,
    WAITING,
    Line,
    Request,
    Waiter,
)
from fsworkers.graceful.errors import BudgetTooSmall


def waiter(count: int = 1, owner: int = 1, *, is_holder: bool = False, held: int = 0) -> Waiter:
    """One that is to stand in the line."""
    request = Request(count, f"file of {owner}", 0.0)
    return Waiter(request, owner, lambda: None, held=held, is_holder=is_holder or held > 0)


def serve(line: Line, lent: int) -> list[Waiter]:
    """Serve whoever can be served, as the shell does."""
    served = []
    while (head := line.next_grant(lent, 1.0)) is not None:
        line.grant(head, 1.0)
        lent += head.count
        served.append(head)
    return served


def test_a_large_request_at_the_head_holds_back_small_ones_behind_it() -> None:
    """Nobody overtakes, even where the next one would fit."""
    line = Line(6)
    large, small = waiter(6), waiter(1)
    line.arrive(large, 0.0)
    line.arrive(small, 0.0)
    assert serve(line, lent=1) == []
    assert serve(line, lent=0) == [large]


def test_a_withdrawn_head_lets_the_next_pass() -> None:
    """A waiter that gives up takes nothing and holds nobody up."""
    line = Line(6)
    large, small = waiter(6), waiter(1)
    line.arrive(large, 0.0)
    line.arrive(small, 0.0)
    line.withdraw(large, 1.0)
    assert large.state == GONE
    assert serve(line, lent=1) == [small]


def test_more_than_the_budget_is_refused_at_once() -> None:
    """A request that no wait could meet fails with both figures."""
    with pytest.raises(BudgetTooSmall, match="needs 2, budget 1"):
        Line(1).arrive(waiter(2), 0.0)


def test_a_refused_operation_goes_before_all_others_and_stays_there() -> None:
    """The kernel's refusal does not cost the place in the line, however often it comes."""
    line = Line(4)
    first, second, late = waiter(), waiter(), waiter()
    line.arrive(late, 0.0)
    line.refuse(first, 2, 0.0, pause_s=0.0, machine_wide=False)
    line.refuse(second, 2, 0.0, pause_s=0.0, machine_wide=True)
    assert line.in_line() == [first, second, late]
    assert (line.capacity, line.refused, line.refused_machine) == (2, 2, 1)
    served = serve(line, lent=1)
    assert served == [first]
    line.refuse(first, 1, 0.0, pause_s=0.0, machine_wide=False)
    assert line.in_line() == [first, second, late]


def test_capacity_grows_back_slowly_and_never_beyond_the_ceiling() -> None:
    """After pressure one more may try, then two, then four, with a pause in between."""
    line = Line(10)
    for _ in range(20):
        line.arrive(waiter(), 0.0)
    line.refuse(waiter(), 0, 0.0, pause_s=1.0, machine_wide=False)
    assert not line.recover(0, 0.9)
    steps = []
    for look in range(5):
        line.recover(line.capacity, 1.0 + look)
        assert not line.recover(line.capacity, 1.0 + look)
        steps.append(line.capacity)
    assert steps == [1, 3, 7, 10, 10]


def test_an_idle_while_counts_as_many_steps() -> None:
    """Nobody looked; the capacity is what it would be if somebody had, and never more."""
    line = Line(100)
    refused = waiter()
    line.refuse(refused, 10, 0.0, pause_s=1.0, machine_wide=False)
    line.withdraw(refused, 0.0)
    assert line.recover(0, 1.0 + 2.5 * GROW_S)
    assert line.capacity == 10 + 1 + 2 + 4
    assert line.recover(0, 60.0)
    assert line.capacity == 100


def test_a_refusal_ends_the_recovery_that_was_under_way() -> None:
    """The next step waits for the pause, and is a single one again."""
    line = Line(100)
    refused = waiter()
    line.refuse(refused, 10, 0.0, pause_s=0.0, machine_wide=False)
    assert line.recover(9, 0.0)
    assert serve(line, lent=9) == [refused]
    line.refuse(refused, 9, 0.5, pause_s=1.0, machine_wide=False)
    assert not line.recover(9, 1.4)
    assert line.recover(9, 60.0)
    assert line.capacity == 10


def test_a_shrunk_budget_ends_those_it_can_never_serve() -> None:
    """Resizing below a waiting request fails that request, and only that."""
    line = Line(8)
    large, small = waiter(6), waiter(2)
    line.arrive(large, 0.0)
    line.arrive(small, 0.0)
    assert line.resize(4, 1.0) == [large]
    assert isinstance(large.error, BudgetTooSmall)
    assert serve(line, lent=0) == [small]


def test_a_rescued_ticket_is_served_beyond_the_capacity_once() -> None:
    """The loan out of the reserve is repaid before anybody else is served."""
    line = Line(2)
    holder, other = waiter(owner=1), waiter(owner=2)
    line.arrive(other, 0.0)
    line.arrive(holder, 0.0)
    line.rescue(holder, lent=2)
    assert serve(line, lent=2) == [holder]
    assert line.lent_from_reserve == 1
    assert serve(line, lent=2) == []
    assert serve(line, lent=1) == [other]


def test_those_who_gave_up_do_not_fill_the_line() -> None:
    """A head that waits long behind a thousand time-outs costs no memory for them."""
    line = Line(1)
    for _ in range(1000):
        gone = waiter()
        line.arrive(gone, 0.0)
        line.withdraw(gone, 0.0)
    assert len(line._line) < 20


def test_holders_go_before_newcomers() -> None:
    """In order among themselves, each behind those of their kind whom the kernel refused."""
    line = Line(4)
    newcomer, refused = waiter(owner=1), waiter(owner=2)
    holders = [waiter(owner=number, is_holder=True) for number in (3, 4)]
    for one in (newcomer, *holders):
        line.arrive(one, 0.0)
    line.refuse(refused, 4, 0.0, pause_s=0.0, machine_wide=False)
    assert line.in_line() == [*holders, refused, newcomer]
    assert serve(line, lent=0) == [*holders, refused, newcomer]


def test_newcomer_that_was_overtaken_for_long_is_overtaken_no_more() -> None:
    """It is served before holders that came after it, and after those that came before."""
    line = Line(1)
    early, newcomer = waiter(owner=1, is_holder=True), waiter(owner=2)
    late = waiter(owner=3, is_holder=True)
    for one in (early, newcomer, late):
        line.arrive(one, 0.0)
    assert line.head(HOLDER_S) is early
    line.withdraw(early, HOLDER_S)
    assert line.head(HOLDER_S / 2) is late
    assert line.head(HOLDER_S) is newcomer


def test_one_holder_at_a_time_has_more_than_there_is() -> None:
    """Until it holds nothing; the others, and newcomers, get none of it."""
    line = Line(2)
    line.extra = 2
    first, second, newcomer = (waiter(owner=number, is_holder=number < 3) for number in (1, 2, 3))
    for one in (newcomer, first, second):
        line.arrive(one, 0.0)
    assert serve(line, lent=2) == [first]
    assert (line.privileged, line.lent_from_reserve, line.rescued) == (1, 1, 1)
    again = waiter(owner=1, is_holder=True)
    line.arrive(again, 0.0)
    assert serve(line, lent=3) == [again]
    line.review_privilege(3, 1.0)
    assert serve(line, lent=4) == []
    line.review_privilege(0, 1.0)
    assert serve(line, lent=0) == [second, newcomer]


def test_privilege_ends_when_its_owner_holds_what_it_held_before() -> None:
    """Whoever keeps a log file and opens one after another is not before others for ever."""
    line = Line(2)
    line.extra = 1
    first, second = waiter(owner=1, held=1), waiter(owner=2, held=1)
    line.arrive(first, 0.0)
    line.arrive(second, 0.0)
    assert serve(line, lent=2) == [first]
    line.review_privilege(2, 0.0)
    assert serve(line, lent=3) == []
    line.review_privilege(1, 0.0)
    line.arrive(waiter(owner=1, held=1), 0.0)
    assert serve(line, lent=2) == [second]


def test_privilege_without_use_passes_on() -> None:
    """Whoever holds for good and asks for nothing more does not keep it."""
    line = Line(1)
    line.extra = 1
    line.arrive(waiter(owner=1, is_holder=True), 0.0)
    assert serve(line, lent=1)
    second = waiter(owner=2, is_holder=True)
    line.arrive(second, 0.0)
    line.review_privilege(2, 0.0)
    line.review_privilege(2, PASS_ON_S)
    assert serve(line, lent=1) == []
    line.review_privilege(2, 2 * PASS_ON_S)
    assert serve(line, lent=1) == [second]


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_no_knot_is_formed(data: st.DataObject) -> None:
    """Whoever needs no more than the extra ones and one at a time comes to an end, and so do all.

    In any order of steps, with some that hold for good and ask for nothing.
    """
    capacity, extra = data.draw(st.integers(2, 6)), data.draw(st.integers(1, 4))
    depths = data.draw(st.lists(st.integers(1, extra + 1), min_size=1, max_size=12))
    line, lent, now_s = Line(capacity), data.draw(st.integers(0, capacity - 1)), 0.0
    line.extra = extra
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
                line.arrive(waiter(owner=owner, held=held[owner]), now_s)
        if line.privileged:
            line.review_privilege(held.get(line.privileged, 0), now_s)
        served = 0
        while (head := line.next_grant(lent, now_s)) is not None:
            line.grant(head, now_s)
            lent += 1
            held[head.owner] += 1
            ready.add(head.owner)
            served += 1
            assert lent <= capacity + extra
        assert ready or served or not held, "a knot"
        now_s += 0.001


class AnyLine(RuleBasedStateMachine):
    """Any order of arrivals, cancels, returns, refusals and resizes."""

    waiters = Bundle("waiters")

    def __init__(self) -> None:
        super().__init__()
        self.line = Line(5)
        self.line.extra = 2
        self.lent = 0
        self.all: list[Waiter] = []
        self.held: list[Waiter] = []
        self.arrived: list[Waiter] = []
        self.now_s = 0.0
        self.rescued: Waiter | None = None

    def settle(self) -> None:
        """Serve as the shell does, checking order and sum at each step."""
        self.now_s += 1.0
        if self.line.privileged:
            count = sum(one.count for one in self.held if one.owner == self.line.privileged)
            self.line.review_privilege(count, self.now_s)
        while (head := self.line.next_grant(self.lent, self.now_s)) is not None:
            is_favoured = head.owner == self.line.privileged and not self.line.refusals_in_row
            assert head is self.rescued or head is self.first() or is_favoured
            if head is not self.rescued and head is not self.first():
                assert self.lent + head.count <= self.line.capacity + self.line.extra
            self.line.grant(head, self.now_s)
            self.lent += head.count
            assert self.lent <= self.line.capacity + self.line.lent_from_reserve
            self.rescued = None
            self.held.append(head)

    def first(self) -> Waiter:
        """Holders, newcomers, of each the refused ones first; no newcomer is overtaken for ever."""
        line = [one for one in self.all if one.state == WAITING]
        newcomers = [one for one in line if not one.is_holder]
        others = [one for one in line if one not in newcomers]
        if others and newcomers:
            newcomer, other = min(newcomers), min(others)
            is_overdue = newcomer < other and self.now_s - newcomer.since_s >= HOLDER_S
            return newcomer if is_overdue else other
        return min(line)

    @rule(target=waiters, count=st.integers(1, 7), is_holder=st.booleans())
    def arrive(self, count: int, is_holder: bool) -> Waiter:
        one = waiter(count, owner=len(self.all) + 1, is_holder=is_holder)
        self.all.append(one)
        if count > self.line.ceiling:
            with pytest.raises(BudgetTooSmall):
                self.line.arrive(one, self.now_s)
        else:
            self.line.arrive(one, self.now_s)
        self.settle()
        return one

    @rule(one=consumes(waiters))
    def cancel(self, one: Waiter) -> None:
        if one.state == GRANTED and one in self.held:
            self.held.remove(one)
            self.lent -= one.count
        self.line.withdraw(one, self.now_s)
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
        again = waiter(one.count, one.owner, is_holder=one.is_holder)
        again.order = one.order
        self.all.append(again)
        self.line.refuse(again, self.lent, self.now_s, pause_s=pause_s, machine_wide=machine_wide)
        first = next(one for one in self.line.in_line() if one.is_holder == again.is_holder)
        assert first is again or first.order < 0
        assert self.line.capacity <= self.lent
        if pause_s > 0.01:
            assert not self.line.recover(self.lent, self.now_s + pause_s / 2)
        self.settle()

    @rule()
    def shrink(self) -> None:
        """Code without permits was refused: half stays, and what is lent."""
        before = self.line.capacity
        self.line.shrink(self.lent, self.now_s, pause_s=0.01, machine_wide=False)
        assert self.line.capacity <= before
        assert self.line.capacity >= min(before, max(self.lent, before // 2))

    @rule(ceiling=st.integers(1, 9))
    def resize(self, ceiling: int) -> None:
        for unmet in self.line.resize(ceiling, self.now_s):
            assert unmet.count > ceiling
            assert unmet.state == GONE
        self.settle()

    @precondition(lambda self: self.line.waiting)
    @rule(data=st.data())
    def rescue(self, data: st.DataObject) -> None:
        """Whoever it is, it is served now; nobody else is, on the loan made for it."""
        one = data.draw(st.sampled_from(self.line.in_line()))
        self.rescued = one
        self.line.rescue(one, self.lent)
        assert self.line.lent_from_reserve <= max(0, self.lent + one.count - self.line.capacity)
        held = list(self.held)
        self.settle()
        assert self.held[len(held)] is one

    @rule(idle_s=st.floats(0.0, 3.0))
    def time_passes(self, idle_s: float) -> None:
        self.now_s += idle_s
        before = self.line.capacity
        rose = self.line.recover(self.lent, self.now_s)
        assert rose == (self.line.capacity > before)
        if self.line.head(self.now_s) is None and self.now_s > self.line.next_try_s + 1.0:
            assert self.line.capacity == self.line.ceiling
        self.settle()

    @invariant()
    def counts_add_up(self) -> None:
        assert self.lent == sum(one.count for one in self.held)
        assert self.lent >= 0
        assert self.line.capacity <= self.line.ceiling
        assert self.line.waiting == sum(one.state == WAITING for one in self.all)

    @invariant()
    def nobody_waits_in_vain(self) -> None:
        head = self.line.head(self.now_s)
        assert head is None or self.lent + head.count > self.line.capacity

    def teardown(self) -> None:
        """All come back, and then everyone who still waits is served."""
        self.line.resize(max(self.line.ceiling, 9), self.now_s)
        for _ in range(1000):
            while self.held:
                self.lent -= self.held.pop().count
            self.line.recover(self.lent, self.now_s)
            self.settle()
        assert self.line.waiting == 0
        while self.held:
            self.lent -= self.held.pop().count
        assert self.lent == 0


AnyLine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestLine = AnyLine.TestCase
