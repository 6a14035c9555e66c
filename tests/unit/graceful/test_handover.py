"""What one takes and another gives back: no deadlock, however long that takes."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from fsworkers.graceful import Budget, DescriptorDeadlock
from fsworkers.graceful.aio.lending import take

if TYPE_CHECKING:
    from fsworkers.graceful.counter import Lent

HELD_S = 0.9
"""Longer than it takes to find a deadlock and to end it."""

pytestmark = pytest.mark.timeout(20)


class File:
    """Something that holds a permit."""

    def __init__(self, permit: Lent) -> None:
        self.permit = permit

    def close(self) -> None:
        """Give it back."""
        self.permit.give_back()


def close_later(file: File) -> None:
    """Be at work with it for a while."""
    threading.Event().wait(HELD_S)
    file.close()


def test_a_thread_that_opens_for_others_is_told_of_no_deadlock() -> None:
    """All that is lent was taken by the one who waits; it is with threads that are at work."""
    budget = Budget(4)
    with ThreadPoolExecutor(3) as executor:
        for _ in range(6):  # one waits for a thread of the executor all the time
            executor.submit(close_later, File(budget.take()))
    assert budget.statistics().deadlocks == 0


def test_a_task_that_opens_for_others_is_told_of_no_deadlock() -> None:
    """As above, with tasks of one loop."""

    async def work(file: File) -> None:
        await asyncio.sleep(HELD_S)
        file.close()

    async def main() -> int:
        budget = Budget(3)
        tasks = [asyncio.create_task(work(File(await take(budget=budget)))) for _ in range(5)]
        await asyncio.gather(*tasks)
        return budget.statistics().deadlocks

    assert asyncio.run(main()) == 0


def test_a_task_that_opens_for_a_thread_is_told_of_no_deadlock() -> None:
    """What it opened is with threads of an executor."""

    async def main() -> int:
        budget = Budget(2)
        ways = []
        for _ in range(4):
            file = File(await take(budget=budget))
            ways.append(asyncio.ensure_future(asyncio.to_thread(close_later, file)))
        await asyncio.gather(*ways)
        return budget.statistics().deadlocks

    assert asyncio.run(main()) == 0


def test_who_comes_after_another_holds_nothing_of_the_others() -> None:
    """Threads' idents are used again at once: what one left open is not the next one's."""
    budget = Budget(3)
    left: list[Lent] = []
    first = threading.Thread(target=lambda: left.extend(budget.take_many(3)))
    first.start()
    ident = first.ident
    first.join()
    served = threading.Event()
    idents = []

    def ask() -> None:
        idents.append(threading.get_ident())
        if threading.get_ident() == ident:
            budget.take().give_back()
            served.set()

    # One after another, until the ident has come again.
    for _ in range(50):
        thread = threading.Thread(target=ask)
        thread.start()
        if thread.ident == ident:
            break
        thread.join()
    else:
        pytest.skip("this platform does not use idents again")
    assert not served.wait(HELD_S)
    assert [holder.name for holder in budget.holders()] == ["a thread that ended"]
    for permit in left:
        permit.give_back()
    assert served.wait(5)
    thread.join()
    assert budget.statistics().deadlocks == 0


def test_a_task_that_comes_after_another_holds_nothing_of_it() -> None:
    """The same with tasks, which may lie where one was that ended."""

    async def main() -> None:
        budget = Budget(2)
        left: list[Lent] = []

        async def leave() -> None:
            left.extend((await take(budget=budget), await take(budget=budget)))

        async def ask() -> None:
            (await take(budget=budget)).give_back()

        await asyncio.ensure_future(leave())
        asking = [asyncio.ensure_future(ask()) for _ in range(20)]
        await asyncio.sleep(HELD_S)
        assert {holder.name for holder in budget.holders()} == {"a task that ended"}
        for permit in left:
            permit.give_back()
        await asyncio.gather(*asking)
        assert budget.statistics().deadlocks == 0

    asyncio.run(main())


def test_strangers_who_are_awake_do_not_hide_a_deadlock() -> None:
    """They hold nothing of what is lent, though they know much else."""
    budget = Budget(2)
    over = threading.Event()
    both = threading.Barrier(2)
    told = []

    def stranger(many: list[object]) -> None:
        while not over.wait(0.01):
            many.append(File)

    def hold_and_want() -> None:
        file = File(budget.take())
        both.wait()
        try:
            budget.take().give_back()
        except DescriptorDeadlock:
            told.append(1)
        file.close()

    watching = threading.Thread(target=stranger, args=([],))
    watching.start()
    jobs = [threading.Thread(target=hold_and_want) for _ in range(2)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join(2)
        assert not job.is_alive()
    over.set()
    watching.join()
    assert told == [1]


def test_the_locals_of_others_are_not_kept() -> None:
    """What a thread lets go of while it is looked at is gone at once."""
    budget = Budget(1)
    taken = budget.take()
    freed = threading.Event()
    may_go = threading.Event()

    class Noticed:
        def __del__(self) -> None:
            freed.set()

    def own() -> None:
        thing: Noticed | None = Noticed()
        may_go.wait(5)
        assert thing is not None
        thing = None
        assert freed.wait(1)

    owner = ThreadPoolExecutor(1)
    owning = owner.submit(own)
    with pytest.raises(DescriptorDeadlock):
        budget.take()
    may_go.set()
    owning.result(5)
    owner.shutdown()
    taken.give_back()
