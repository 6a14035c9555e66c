"""What one takes and another gives back: no deadlock, however long that takes."""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.pool import ThreadPool
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from fsworkers.graceful import Budget, DescriptorDeadlock
from fsworkers.graceful.aio.lending import take
from fsworkers.graceful.reservation import reserve

if TYPE_CHECKING:
    from collections.abc import Callable

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


CACHE: list[File] = []


class Cache:
    """A list that is no instance's."""

    files: list[File] = []  # noqa: RUF012 - a class's own, which is what is tried


def close_all(files: list[File]) -> None:
    """Close them and let go of them."""
    while files:
        files.pop().close()


def nap() -> None:
    """Longer than it takes to find a deadlock and to end it."""
    threading.Event().wait(HELD_S)


def by_a_global() -> list[File]:
    """A list of the module's, which a janitor empties."""

    def janitor() -> None:
        nap()
        close_all(CACHE)

    threading.Thread(target=janitor).start()
    return CACHE


def by_a_class() -> list[File]:
    """A list of a class's."""

    def janitor() -> None:
        nap()
        close_all(Cache.files)

    threading.Thread(target=janitor).start()
    return Cache.files


SHELF = """
files = []

def close_all():
    while files:
        files.pop().close()

class Janitor:
    def finish(self):
        close_all()
"""


def by_a_name_of_another_module() -> list[File]:
    """The janitor's own module knows only that module."""

    def janitor() -> None:
        nap()
        close_all(shelf.files)

    threading.Thread(target=janitor).start()
    return shelf_files()


def by_a_function_of_another_module() -> list[File]:
    """Which the janitor's code knows by a local name."""
    here = shelf

    def janitor() -> None:
        there = here
        nap()
        there.close_all()

    threading.Thread(target=janitor).start()
    return shelf_files()


def by_a_method_of_what_is_at_hand() -> list[File]:
    """Whose code names another module's globals."""
    one = shelf.Janitor()

    def janitor() -> None:
        nap()
        one.finish()

    threading.Thread(target=janitor).start()
    return shelf_files()


def by_a_finalizer() -> list[File]:
    """What the janitor has refers to nothing: something is called when it is gone."""
    files = Files()
    token = Token()
    weakref.finalize(token, close_all, files)

    def janitor(tokens: list[Token]) -> None:
        nap()
        tokens.clear()

    threading.Thread(target=janitor, args=([token],)).start()
    return files


def by_the_callback_of_a_weak_reference() -> list[File]:
    """As above, without a registry."""
    files = Files()
    token = Token()
    kept = weakref.ref(token, lambda _gone: close_all(files))

    def janitor(tokens: list[Token]) -> None:
        nap()
        tokens.clear()
        assert kept() is None

    threading.Thread(target=janitor, args=([token],)).start()
    return files


class Token:
    """Something that may be referred to weakly."""


shelf: Any = ModuleType("shelf")
exec(SHELF, vars(shelf))


def shelf_files() -> list[File]:
    """The list of the other module."""
    files: list[File] = shelf.files
    return files


def by_a_weak_reference() -> list[File]:
    """The janitor has no reference of its own."""
    files = Files()
    known = weakref.WeakValueDictionary(files=files)

    def janitor() -> None:
        nap()
        close_all(known["files"])

    threading.Thread(target=janitor).start()
    return files


class Files(list[File]):
    """A list that may be referred to weakly."""


def behind_much_else() -> list[File]:
    """The janitor refers to many things, and to the files far down."""
    files: list[File] = []

    def janitor(data: object) -> None:
        nap()
        close_all(files)
        assert data

    many = [[number] for number in range(20_000)]
    threading.Thread(target=janitor, args=({"much": many, "few": [[[[files]]]]},)).start()
    return files


def by_a_timer_of_threads() -> list[File]:
    """A thread that has not begun to do anything."""
    files: list[File] = []
    threading.Timer(HELD_S, close_all, (files,)).start()
    return files


def by_a_timer_of_another_loop() -> list[File]:
    """No task and no thread knows them, but what a loop is going to call does."""
    files: list[File] = []
    loop = asyncio.new_event_loop()

    def close_and_end() -> None:
        close_all(files)
        loop.stop()

    loop.call_later(HELD_S, close_and_end)

    def serve() -> None:
        loop.run_forever()
        loop.close()

    threading.Thread(target=serve).start()
    return files


@pytest.mark.parametrize(
    "way",
    [
        by_a_global,
        by_a_class,
        by_a_name_of_another_module,
        by_a_function_of_another_module,
        by_a_method_of_what_is_at_hand,
        by_a_finalizer,
        by_the_callback_of_a_weak_reference,
        by_a_weak_reference,
        behind_much_else,
        by_a_timer_of_threads,
        by_a_timer_of_another_loop,
    ],
)
def test_what_somebody_else_will_close_is_waited_for(way: Callable[[], list[File]]) -> None:
    """Who asks holds all there is, by another's leave."""
    budget = Budget(3)
    before = threading.enumerate()
    files = way()
    files.extend(File(budget.take()) for _ in range(3))
    with reserve(2, budget=budget):
        assert budget.statistics().deadlocks == 0
    for thread in set(threading.enumerate()).difference(before):
        thread.join(5)
    assert budget.statistics().lent == 0


def test_what_a_thread_shows_of_itself_may_be_closed_by_others() -> None:
    """Whoever has the thread has its attributes."""
    budget = Budget(3)
    asked = []

    class Opener(threading.Thread):
        def run(self) -> None:
            self.files = [File(budget.take()) for _ in range(3)]
            with reserve(2, budget=budget):
                asked.append(budget.statistics().deadlocks)

    opener = Opener()
    opener.start()
    nap()
    close_all(opener.files)
    opener.join()
    assert asked == [0]


def test_what_a_timer_or_a_future_hands_on_is_waited_for() -> None:
    """``call_later(…, file.close)``, and a task that gets them as a result."""

    async def main() -> int:
        budget = Budget(3)
        loop = asyncio.get_running_loop()
        loop.call_later(HELD_S, File(await take(budget=budget)).close)
        handed: asyncio.Future[list[File]] = loop.create_future()

        async def janitor() -> None:
            await asyncio.sleep(HELD_S)
            close_all(await handed)

        closing = asyncio.create_task(janitor())
        await asyncio.sleep(0)
        handed.set_result([File(await take(budget=budget)) for _ in range(2)])
        async with reserve(3, budget=budget):
            await closing
        return budget.statistics().deadlocks

    assert asyncio.run(main()) == 0


def in_a_gather(budget: Budget) -> None:
    """The tasks that opened are over; who will have the files waits for all of them."""

    async def main() -> None:
        await asyncio.gather(*[take(budget=budget) for _ in range(6)])

    asyncio.run(main())


def by_a_thread_that_ended(budget: Budget) -> None:
    """And left what it opened to the one who asks."""
    kept: list[Lent] = []
    opener = threading.Thread(target=lambda: kept.extend(budget.take_many(4)))
    opener.start()
    opener.join()
    kept.append(budget.take())


def by_threads_that_are_idle(budget: Budget) -> None:
    """Of an executor, whose results nobody has yet."""
    with ThreadPoolExecutor(3) as executor:
        list(executor.map(lambda _: budget.take(), range(9)))


def in_a_pool_of_threads(budget: Budget) -> None:
    """Which waits for its worker by an event that only its own servants know."""
    kept = [budget.take() for _ in range(4)]
    with ThreadPool(2) as pool:
        pool.apply(budget.take)
    assert kept


def by_way_of_another_loop(budget: Budget) -> None:
    """A thread waits for a coroutine that runs on another thread's loop."""
    kept = [budget.take() for _ in range(4)]
    loop = asyncio.new_event_loop()
    serving = threading.Thread(target=loop.run_forever)
    serving.start()
    try:
        asyncio.run_coroutine_threadsafe(take(budget=budget), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        serving.join()
        loop.close()
    assert kept


def in_the_order_of_completion(budget: Budget) -> None:
    """Who holds waits for a queue that a callback fills."""

    async def main() -> None:
        kept = [await take(budget=budget) for _ in range(4)]
        for one in asyncio.as_completed([take(budget=budget)]):
            await one
        assert kept

    asyncio.run(main())


@pytest.mark.parametrize(
    "way",
    [
        in_a_gather,
        by_a_thread_that_ended,
        by_threads_that_are_idle,
        in_a_pool_of_threads,
        by_way_of_another_loop,
        in_the_order_of_completion,
    ],
)
@pytest.mark.parametrize("is_alone", [True, False])
def test_what_nobody_can_give_back_is_not_waited_for(
    way: Callable[[Budget], None], *, is_alone: bool
) -> None:
    """Also while somebody is awake who has nothing to do with it."""
    over = threading.Event()

    def be_awake() -> None:
        while not over.wait(0.05):
            pass

    stranger = threading.Thread(target=be_awake)
    if not is_alone:
        stranger.start()
    begun_s = time.monotonic()
    try:
        with pytest.raises(DescriptorDeadlock):
            way(Budget(4))
        assert time.monotonic() - begun_s < 2
    finally:
        over.set()
        if not is_alone:
            stranger.join()
