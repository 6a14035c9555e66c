"""Real descriptors at a tight limit: nothing fails, nothing hangs, nothing is left."""

from __future__ import annotations

import subprocess
import sys

import pytest

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="prlimit(2) is Linux's")


def test_ten_thousand_coroutines_open_a_file_each(limited) -> None:
    """All succeed, the peak stays within the budget, none overtakes."""
    limited("""
        from fsworkers.graceful import aio
        order = []
        async def one(number):
            async with graceful.reserve(1):
                order.append(number)  # here: the threads that open end in any order
                async with aio.open(FILE, "rb") as file:
                    assert len(await file.read()) == 4096
        async def main():
            await one(-1)
            before = open_count()
            await asyncio.gather(*(one(number) for number in range(10_000)))
            assert open_count() == before
        asyncio.run(main())
        assert order == list(range(-1, 10_000))
        seen = graceful.statistics()
        assert seen.lent == 0 and seen.peak <= seen.capacity, seen
        assert seen.waits > 9000, seen
    """)


def test_two_hundred_threads_and_a_loop_share_the_line(limited) -> None:
    """Threads and tasks all get through, with the descriptors of the start at the end."""
    limited("""
        from fsworkers.graceful import aio
        before = open_count()
        done = []
        def read(number):
            for _ in range(5):
                with graceful.open(FILE, "rb") as file:
                    assert len(file.read()) == 4096
            done.append(number)
        async def one():
            async with aio.open(FILE, "rb") as file:
                await file.read()
            done.append("task")
        async def main():
            await asyncio.gather(*(one() for _ in range(200)))
        loop = threading.Thread(target=lambda: asyncio.run(main()))
        loop.start()
        in_threads(read, 200)
        loop.join()
        assert len(done) == 400
        assert lent() == 0 and open_count() == before
    """)


def test_foreign_code_takes_descriptors_and_gives_them_back(limited) -> None:
    """No EMFILE reaches the caller; the capacity shrinks and recovers."""
    limited("""
        graceful.configure()
        full = graceful.statistics().capacity
        foreign = []
        with contextlib.suppress(OSError):
            while True:
                foreign.append(os.open(os.devnull, os.O_RDONLY))
        def free():
            wait_for(lambda: graceful.statistics().waiting)
            assert graceful.statistics().capacity < full
            for number in foreign:
                os.close(number)
        freeing = threading.Thread(target=free)
        freeing.start()
        graceful.open(FILE).close()
        freeing.join()
        assert graceful.statistics().refused > 0
        files = [graceful.open(FILE) for _ in range(full)]
        assert graceful.statistics().capacity == full
        for file in files: file.close()
        assert lent() == 0
    """)


def test_a_release_of_ours_ends_the_wait_for_the_kernel(limited) -> None:
    """The refused operation is tried again as soon as one of ours is closed."""
    limited("""
        graceful.configure()
        mine = graceful.open(FILE)
        with contextlib.suppress(OSError):
            foreign = []
            while True:
                foreign.append(os.open(os.devnull, os.O_RDONLY))
        def free():
            wait_for(lambda: graceful.statistics().waiting)
            mine.close()
        threading.Thread(target=free).start()
        graceful.open(FILE).close()
    """)


def test_errors_that_are_no_pressure_pass_at_once(limited) -> None:
    """A missing file, a folder and a forbidden one give the permit back and keep their errors."""
    limited("""
        for path, kind in (("/missing/x", FileNotFoundError), (FOLDER, IsADirectoryError)):
            for opener in (open, graceful.open):
                try:
                    opener(path, "w")
                except kind as error:
                    assert error.filename == path
        assert lent() == 0 and graceful.statistics().refused == 0
    """)


def test_everyone_holds_one_and_asks_for_another(limited) -> None:
    """As many jobs as the budget, then three times as many: all are done, in little time."""
    limited("""
        graceful.configure(max_open_files=20)
        for jobs in (20, 60):
            barrier = threading.Barrier(20)
            def job(number):
                with graceful.open(FILE, "rb"):
                    if number < 20: barrier.wait()
                    with graceful.open(FILE, "rb") as second:
                        second.read()
            begun_s = time.monotonic()
            in_threads(job, jobs)
            assert time.monotonic() - begun_s < 10
        seen = graceful.statistics()
        assert seen.lent == 0 and seen.rescued > 0 and seen.deadlocks == 0, seen
    """)


def test_who_keeps_a_file_and_opens_others_all_the_time_keeps_nobody_waiting(limited) -> None:
    """One with a log file is at it before all others hold one and ask for another."""
    limited("""
        graceful.configure(max_open_files=20)
        over, everyone = threading.Event(), threading.Barrier(20)
        def log(number):
            with graceful.open(FILE):
                everyone.wait()
                while not over.is_set(): graceful.open(FILE).close()
        def job(number):
            with graceful.open(FILE):
                everyone.wait()
                threading.Event().wait(0.2)
                graceful.open(FILE).close()
        logging = threading.Thread(target=log, args=(0,))
        logging.start()
        begun_s = time.monotonic()
        in_threads(job, 19)
        assert time.monotonic() - begun_s < 5
        over.set()
        logging.join()
        assert lent() == 0
    """)


def test_coroutines_that_hold_and_wait(limited) -> None:
    """The same in one event loop, also behind ``wait_for``."""
    limited("""
        from fsworkers.graceful import aio
        graceful.configure(max_open_files=10)
        async def second():
            async with aio.open(FILE, "rb") as file:
                await file.read()
        async def job(way):
            async with aio.open(FILE, "rb"):
                await asyncio.sleep(0.01)
                await way(second())
        async def through(coroutine):
            await coroutine
        async def main():
            for way in (through, lambda coroutine: asyncio.wait_for(coroutine, 20)):
                await asyncio.gather(*(job(way) for _ in range(20)))
        asyncio.run(main())
        assert lent() == 0 and graceful.statistics().deadlocks == 0
    """)


@pytest.mark.parametrize("way", ["to_thread", "event", "executor"])
def test_coroutines_that_hold_and_wait_for_a_thread_or_an_event(limited, way: str) -> None:
    """More jobs than the budget, and more than there are threads: all are done, in little time.

    What is sent to an executor by hand does not tell who waits for it: only time helps there.
    """
    limited(f"""
        from fsworkers.graceful import aio
        graceful.configure(max_open_files=10)
        def read():
            with graceful.open(FILE, "rb") as file:
                file.read()
        async def second():
            loop = asyncio.get_running_loop()
            if {way!r} == "to_thread":
                await asyncio.to_thread(read)
            elif {way!r} == "executor":
                await loop.run_in_executor(None, read)
            else:
                done = asyncio.Event()
                async def child():
                    await aio.read_bytes(FILE)
                    done.set()
                task = asyncio.ensure_future(child())
                await done.wait()
                await task
        async def job():
            async with aio.open(FILE, "rb"):
                await asyncio.sleep(0.01)
                await second()
        jobs = 10 if {way!r} == "executor" else 40
        async def main():
            await asyncio.wait_for(asyncio.gather(*(job() for _ in range(jobs))), 30)
        begun_s = time.monotonic()
        asyncio.run(main())
        assert time.monotonic() - begun_s < 6, (time.monotonic() - begun_s, graceful.statistics())
        seen = graceful.statistics()
        assert (seen.lent, seen.deadlocks) == (0, 0) and seen.rescued, seen
    """)


def test_a_wait_that_nobody_can_see_is_ended_from_the_reserve(limited) -> None:
    """A holder waits for an asker through a bare lock: no stack shows what for."""
    limited("""
        graceful.configure(max_open_files=4)
        everyone = threading.Barrier(4)
        def job(number):
            with graceful.open(FILE):
                everyone.wait()
                done = threading.Lock()
                done.acquire()
                def ask():
                    graceful.open(FILE).close()
                    done.release()
                asking = threading.Thread(target=ask)
                asking.start()
                done.acquire()
                asking.join()
        in_threads(job, 4)
        seen = graceful.statistics()
        assert seen.lent == 0 and seen.rescued > 0 and seen.deadlocks == 0, seen
    """)


def test_a_blocking_open_in_a_coroutine_does_not_hang_the_loop(limited) -> None:
    """The loop's thread waits for what its own tasks hold: it is served from the reserve."""
    limited("""
        from fsworkers.graceful import aio
        graceful.configure(max_open_files=2)
        async def main():
            async with aio.open(FILE), aio.open(FILE):
                graceful.open(FILE).close()
        asyncio.run(main())
        assert graceful.statistics().rescued == 1 and lent() == 0
    """)


def test_files_that_are_only_collected_give_their_permits_back(limited) -> None:
    """Garbage collection closes, warns as ever, and returns the permit."""
    limited("""
        import warnings
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for mode in ("r", "rb"):
                graceful.open(FILE, mode)
            graceful.open(FILE, "rb", buffering=0)
            gc.collect()
        assert [one.category for one in caught] == [ResourceWarning] * 3, caught
        assert lent() == 0
    """)


@linux_only
def test_a_limit_that_changes_is_followed(limited) -> None:
    """Lowered below what is open, then raised again by someone else, while opens wait."""
    limited(
        """
        graceful.configure()
        at_64 = graceful.statistics().capacity
        files = [graceful.open(FILE) for _ in range(at_64)]
        more = []
        waiting = threading.Thread(target=lambda: more.append(graceful.open(FILE)))
        waiting.start()
        wait_for(lambda: graceful.statistics().waiting)
        resource.prlimit(os.getpid(), resource.RLIMIT_NOFILE, (128, 256))
        waiting.join(5)
        assert more and graceful.statistics().capacity > at_64
        resource.prlimit(os.getpid(), resource.RLIMIT_NOFILE, (24, 256))
        for file in files + more: file.close()
        files = []
        def read(number):
            with graceful.open(FILE, "rb") as file: file.read()
        in_threads(read, 60)
        assert graceful.statistics().capacity < at_64 and lent() == 0
    """,
        hard=256,
    )


def test_numbers_count_not_descriptors(limited) -> None:
    """With more open above a lowered limit than it allows, the free numbers below are lent."""
    limited(
        """
        high = [os.open(os.devnull, os.O_RDONLY) for _ in range(150)]
        for number in high:
            if number < 64: os.close(number)
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 256))
        seen = graceful.limits()
        assert seen.in_use < 10 and seen.budget > 40, seen
        files = [graceful.open(FILE) for _ in range(seen.budget)]
        assert graceful.statistics().refused == 0
        for file in files: file.close()
    """,
        limit=256,
    )


@pytest.mark.parametrize("limit", [16, 20, 32, 64])
def test_it_works_at_small_limits(limited, limit: int) -> None:
    """Down to 16: more files than the limit, in threads, and imports while saturated."""
    limited(
        """
        graceful.configure()
        def read(number):
            with graceful.open(FILE, "rb") as file: file.read()
        in_threads(read, 40)
        files = [graceful.open(FILE) for _ in range(graceful.statistics().capacity)]
        import sqlite3, tempfile, csv
        with tempfile.TemporaryFile(): pass
        base = sqlite3.connect(os.path.join(FOLDER, "base"))
        base.execute("create table t (x)"); base.commit(); base.close()
        for file in files: file.close()
    """,
        limit=limit,
    )


def test_below_the_minimum_it_refuses_with_the_figures(limited) -> None:
    """A clear error says limit, use, reserve and minimum."""
    limited(
        """
        try:
            graceful.configure(reserve=40)
        except graceful.TooFewDescriptors as error:
            assert error.errno == errno.EMFILE and "4 is the minimum" in str(error), error
        else:
            raise AssertionError("it started")
    """,
        limit=46,
    )


@pytest.mark.parametrize("begin", ["graceful.configure()", "pass"])
def test_a_shortage_that_passes_is_waited_for_at_the_first_use_too(limited, begin: str) -> None:
    """Others have nearly everything for a moment; when they let go of it, there is all of it."""
    limited(f"""
        keep = [os.open(os.devnull, os.O_RDONLY) for _ in range(59)]
        {begin}
        def after_fork_parent():
            threading.Event().wait(0.3)
            while keep: os.close(keep.pop())
        letting_go = threading.Thread(target=after_fork_parent)
        letting_go.start()
        files = []
        def read(number):
            files.append(graceful.open(FILE, "rb"))
        in_threads(read, 20, 10)
        letting_go.join()
        for file in files: file.close()
        wait_for(lambda: graceful.statistics().capacity == 64 - 8 - 3)
        assert lent() == 0
    """)


def test_raising_the_soft_limit_leaves_the_hard_one_and_children_alone(limited) -> None:
    """The process gets more; a program it starts gets the limit as it was."""
    limited(
        """
        graceful.configure(raise_limit=True)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (512, 512)
        assert graceful.statistics().capacity > 400
        if sys.platform == "linux":
            child = graceful.subprocess.Popen(["cat"], stdin=-1, stdout=-1)
            assert resource.prlimit(child.pid, resource.RLIMIT_NOFILE) == (64, 512)
            child.communicate(b"")
    """,
        limit=64,
        hard=512,
    )


def test_a_deadline_counts_from_the_first_wait(limited) -> None:
    """Closes of others do not prolong it; the error names the path and the holders."""
    limited("""
        graceful.configure(max_open_files=2, wait_s=0.1)
        files = [graceful.open(FILE), graceful.open(FILE)]
        begun_s = time.monotonic()
        def open_another(number):
            try:
                graceful.open(FILE)
            except graceful.BudgetTimeout as error:
                assert error.filename == FILE and "MainThread holds 2" in str(error)
            else:
                raise AssertionError("it opened")
        in_threads(open_another, 1)
        assert time.monotonic() - begun_s < 1
        for file in files: file.close()
        assert lent() == 0
    """)


def test_limits_shows_what_there_is(limited) -> None:
    """Soft, hard, in use, reserve, budget and the machine's figures."""
    limited("""
        seen = graceful.limits()
        assert (seen.soft_limit, seen.hard_limit, seen.reserve) == (64, 64, 8)
        assert seen.budget == 64 - seen.in_use - 8
        if sys.platform == "linux":
            assert 0 < seen.machine_in_use <= seen.machine_limit
    """)


def test_a_forked_child_starts_afresh(limited) -> None:
    """What was lent before is nobody's there, whoever gives it back."""
    limited("""
        graceful.configure(10)
        reserved, may_end = threading.Event(), threading.Event()
        def reserve():
            with graceful.reserve(5):
                reserved.set()
                may_end.wait()
        other = threading.Thread(target=reserve)
        other.start()
        reserved.wait()
        file = graceful.open(FILE)
        with graceful.reserve(3):
            child = os.fork()
            if not child:
                try:
                    assert lent() == 0, graceful.holders()
                    with graceful.open(FILE): assert lent() == 1
                    with graceful.open(FILE, opener=os.open): assert lent() == 1
                    with graceful.reserve(6):
                        assert lent() == 6
                except BaseException:
                    sys.excepthook(*sys.exc_info())
                    os._exit(1)
        if not child:
            file.close()
            os._exit(lent() != 0)
        assert os.waitpid(child, 0)[1] == 0
        assert lent() == 6
        may_end.set()
        other.join()
        file.close()
        assert lent() == 0
    """)


def test_a_forked_child_starts_afresh_with_every_budget(limited) -> None:
    """Nothing is lent there; what was lent before goes back to nobody."""
    limited("""
        own = graceful.Budget(8)
        kept = [own.take() for _ in range(3)]
        reserved, is_over = threading.Event(), threading.Event()
        def reserve():
            with graceful.reserve(2, budget=own):
                reserved.set()
                is_over.wait()
        reserving = threading.Thread(target=reserve)
        reserving.start()
        reserved.wait()
        codes = []
        def fork():
            child = os.fork()
            if child == 0:
                code = own.lent
                while kept: kept.pop().give_back()
                os._exit(10 * code + own.lent)
            codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        forking = threading.Thread(target=fork)
        forking.start()
        forking.join()
        is_over.set()
        reserving.join()
        assert codes == [0] and own.lent == 3, (codes, own)
    """)


def test_forks_while_threads_make_budgets_leave_no_lock_behind(limited) -> None:
    """Whoever is made between the two halves of a fork was not held, and is not let go."""
    limited("""
        sys.setswitchinterval(1e-5)
        graceful.open(FILE).close()
        is_over = False
        def make(number):
            while not is_over:
                made = [graceful.Budget(3) for _ in range(20)]
        making = threading.Thread(target=in_threads, args=(make, 2))
        making.start()
        for _ in range(100):
            child = os.fork()
            if child == 0: os._exit(0)
            os.waitpid(child, 0)
            assert not graceful.BUDGET._lock._is_owned()
        is_over = True
        making.join()
        held = [graceful.open(FILE) for _ in range(graceful.limits().budget)]
        waiting = threading.Thread(target=lambda: graceful.open(FILE).close())
        waiting.start()
        wait_for(lambda: graceful.BUDGET.line.waiting)
        closing = threading.Thread(target=lambda: [file.close() for file in held])
        closing.start()
        waiting.join(5)
        assert not waiting.is_alive()
    """)


def test_a_fork_beside_a_thread_that_begins_a_reservation_leaves_no_lock_behind(limited) -> None:
    """What that thread is just making has nothing in it yet."""
    limited("""
        from fsworkers.graceful.budget.reservation import Reservation
        begun = Reservation.__new__(Reservation)
        other = graceful.Budget(2)
        files, over = [], threading.Event()
        def hold():
            files.extend([graceful.open(FILE), other.take()])
            over.wait(20)
        holding = threading.Thread(target=hold)
        holding.start()
        wait_for(lambda: len(files) == 2)
        child = os.fork()
        if not child:
            in_threads(lambda number: graceful.open(FILE).close(), 1, 5)
            in_threads(lambda number: other.take().give_back(), 1, 5)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        over.set()
        holding.join()
        files.pop().give_back()
        files.pop().close()
        assert lent() == 0
    """)


def test_forks_of_many_threads_leave_no_lock_behind(limited) -> None:
    """In none of the processes, whoever was at work; nor do they wait for one another's locks."""
    limited("""
        import logging, logging.config
        sys.setswitchinterval(1e-5)
        graceful.BUDGET.trace(on=True)  # always by way of the lock
        graceful.install()
        over = threading.Event()
        settings = {"version": 1, "handlers": {"file": {"class": "logging.FileHandler",
            "filename": FOLDER + "/log"}}, "root": {"handlers": ["file"]}}
        def log(number):
            while not over.is_set(): logging.config.dictConfig(settings)
        logging_thread = threading.Thread(target=log, args=(0,))
        logging_thread.start()
        def fork(number):
            for _ in range(20):
                child = os.fork()
                if child == 0:
                    graceful.open(FILE).close()
                    os._exit(0)
                assert os.waitpid(child, 0)[1] == 0
                graceful.open(FILE).close()
        in_threads(fork, 4)
        over.set()
        logging_thread.join()
    """)


def test_a_fork_measures_nothing_and_is_no_sign_of_life(limited) -> None:
    """A budget that nobody used stays that way, and a deadlock is found beside steady forks."""
    limited("""
        from fsworkers.graceful.budget.budget import BUDGET
        def fork():
            child = os.fork()
            if child == 0: os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
        fork()
        assert BUDGET._line is None
        budget = graceful.Budget(1, deadlock_after_s=1)
        held, over = budget.take(), threading.Event()
        def forks(number):
            while not over.is_set():
                fork()
                time.sleep(0.02)
        forking = threading.Thread(target=forks, args=(0,))
        forking.start()
        begun_s = time.monotonic()
        try:
            budget.take(wait_s=20)
        except graceful.DescriptorDeadlock:
            pass
        over.set()
        forking.join()
        assert time.monotonic() - begun_s < 5
        held.give_back()
    """)


def test_a_forked_child_has_a_budget_of_its_own(limited) -> None:
    """Also with threads waiting in the parent: no inherited lock, and counts that are right."""
    limited("""
        graceful.configure(max_open_files=4)
        files = [graceful.open(FILE) for _ in range(4)]
        waiting = threading.Thread(target=lambda: graceful.open(FILE).close())
        waiting.start()
        wait_for(lambda: graceful.statistics().waiting)
        child = os.fork()
        if not child:
            seen = graceful.statistics()
            assert (seen.lent, seen.waiting, seen.waits, seen.capacity) == (0, 0, 0, 4), seen
            files.pop().close()
            with graceful.open(FILE): assert lent() == 1
            done = []
            thread = threading.Thread(target=lambda: done.append(graceful.open(FILE).close()))
            thread.start(); thread.join(5)
            for file in files: file.close()
            os._exit(0 if done and lent() == 0 else 1)
        assert os.waitpid(child, 0)[1] == 0
        files.pop().close()
        waiting.join()
        for file in files: file.close()
        assert lent() == 0
    """)


def test_a_thread_that_ends_with_a_file_open_loses_nothing(limited) -> None:
    """The permit is the file's, not the thread's."""
    limited("""
        kept = []
        in_threads(lambda number: kept.append(graceful.open(FILE)), 5)
        assert lent() == 5
        assert all("ended" in holder.name for holder in graceful.holders())
        for file in kept: file.close()
        assert lent() == 0
    """)


def test_the_interpreter_ends_quietly_with_waiters(limited) -> None:
    """A daemon thread that still waits does not disturb the end."""
    limited("""
        graceful.configure(max_open_files=1)
        file = graceful.open(FILE)
        threading.Thread(target=graceful.open, args=(FILE,), daemon=True).start()
        wait_for(lambda: graceful.statistics().waiting)
        import warnings
        warnings.simplefilter("ignore")
    """)


def test_importing_patches_nothing_and_loads_little() -> None:
    """The builtins stay, and nothing heavy comes along."""
    script = """
import builtins, io, sys
from fsworkers import graceful
assert builtins.open is io.open and type(open) is type(len)
heavy = {"aiofiles", "asyncio", "inspect", "random", "subprocess", "tempfile", "tenacity", "typing"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_holder_whom_the_kernel_refuses_does_not_wait_for_ever(limited) -> None:
    """Other code holds what the budget counts on, and whoever could free some waits: it is told."""
    limited("""
        graceful.configure(deadlock_after_s=1)
        hog = [os.open(FILE, os.O_RDONLY) for _ in range(15)]
        held = []
        try:
            while True:
                held.append(graceful.open(FILE, "rb"))
        except graceful.DescriptorDeadlock:
            pass
        for file in held:
            file.close()
        graceful.open(FILE, "rb").close()
        assert graceful.statistics().lent == 0
    """)


def test_permits_not_opened_yet_are_no_free_numbers_to_the_reserve(limited) -> None:
    """What was lent out of the reserve counts as taken before its descriptor is opened."""
    limited(
        """
graceful.configure(deadlock_after_s=1)
seen = graceful.statistics()
def job(number):
    mine = []
    with contextlib.suppress(graceful.DescriptorDeadlock):
        while True:
            mine.append(graceful.BUDGET.take())
    for permit in mine: permit.give_back()
in_threads(job, 3)
after = graceful.statistics()
assert (after.lent, after.deadlocks) == (0, 3), after
assert after.peak <= seen.capacity + graceful.BUDGET.reserve // 2, (seen, after)
"""
    )


def test_what_was_asked_for_is_exceeded_by_half_of_the_reserve_at_most(limited) -> None:
    """However long those who hold keep it: there are free numbers, but not for the budget."""
    limited("""
        graceful.configure(4)
        from fsworkers.graceful.budget.deadlock import StallClock
        StallClock.RESCUE_S = StallClock.RESCUE_AGAIN_S = 0.05
        over = threading.Event()
        kept = []
        def keep(number):
            try:
                kept.append(graceful.BUDGET.take(wait_s=4))
            except graceful.BudgetTimeout:
                pass
            over.wait(10)
        threads = [threading.Thread(target=keep, args=(n,)) for n in range(20)]
        for thread in threads: thread.start()
        threading.Event().wait(3)
        assert len(kept) <= 4 + graceful.BUDGET.reserve // 2, len(kept)
        over.set()
        for thread in threads: thread.join()
        for permit in kept: permit.give_back()
    """)


def test_all_who_hold_go_on_when_the_kernel_refuses_them_all(limited) -> None:
    """Others took the reserve as well: one is ended for the others' sake, and then all are done."""
    limited("""
        graceful.configure(deadlock_after_s=1)
        from fsworkers.graceful import aio
        foreign = [os.dup(0) for _ in range(6)]
        ended = []
        async def both(number):
            try:
                async with aio.open(FILE, "rb") as one:
                    await asyncio.sleep(0.01)
                    async with aio.open(FILE, "rb") as other:
                        assert await one.read() == await other.read()
            except graceful.DescriptorDeadlock:
                ended.append(number)
        async def main():
            await asyncio.wait_for(asyncio.gather(*map(both, range(300))), 20)
        asyncio.run(main())
        seen = graceful.statistics()
        assert seen.lent == 0 and len(ended) == seen.deadlocks <= 15, seen
    """)
