"""The limit changes while the process runs, and pressure comes and goes."""

from __future__ import annotations

import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="prlimit(2) is Linux's")

LIMIT_TO = """
def limit_to(soft):
    resource.prlimit(os.getpid(), resource.RLIMIT_NOFILE, (soft, 256))

def free_below(soft):
    taken = set(map(int, os.listdir("/proc/self/fd")))
    return sum(1 for number in range(soft) if number not in taken or not is_open(number))

def is_open(number):
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
"""


def test_a_lowered_limit_takes_what_is_held_above_it_out_of_the_budget(limited) -> None:
    """A hundred files of ours reach above the new limit: it lends what fits below, no more."""
    limited(
        LIMIT_TO
        + """
graceful.configure()
files = [graceful.open(FILE) for _ in range(100)]
foreign = open_count() - 101
limit_to(64)
seen = graceful.statistics()
assert seen.capacity == 64 - 8 - foreign, (seen, foreign)
for file in files: file.close()
assert graceful.statistics().capacity == 64 - 8 - foreign
files = [graceful.open(FILE) for _ in range(64 - 8 - foreign)]
assert free_below(64) == 8, free_below(64)
assert graceful.statistics().refused == 0
for file in files: file.close()
assert lent() == 0
""",
        limit=256,
    )


def test_descriptors_of_others_above_a_lowered_limit_take_no_seat(limited) -> None:
    """Only what is open below it counts, less what is lent; the rest the kernel's refusals tell."""
    limited(
        LIMIT_TO
        + """
graceful.configure()
files = [graceful.open(FILE) for _ in range(20)]
foreign = [os.open(FILE, os.O_RDONLY) for _ in range(90)]
numbers = [graceful.os.open(FILE, os.O_RDONLY) for _ in range(5)]
mapped = [graceful.mmap.mmap(number, 0, access=graceful.mmap.ACCESS_READ) for number in numbers]
limit_to(64)
assert graceful.statistics().capacity == 64 - 8 - (64 - lent()), graceful.statistics()
for number in foreign: os.close(number)
limit_to(65)
assert graceful.statistics().capacity == 65 - 8 - 3
for number in numbers: graceful.os.close(number)
for file in files + mapped: file.close()
limit_to(200)
assert graceful.statistics().capacity == 200 - 25 - 3
assert lent() == 0
""",
        limit=256,
    )


def test_a_lowered_limit_is_noticed_without_anybody_asking_for_figures(limited) -> None:
    """Opens, waits and releases under a limit that jumps about: none fails, none is too many."""
    limited(
        LIMIT_TO
        + """
graceful.configure()
kept = [graceful.open(FILE) for _ in range(50)]
limit_to(40)
opened = []
waiting = threading.Thread(target=lambda: opened.append(graceful.open(FILE)))
waiting.start()
wait_for(lambda: graceful.BUDGET.line.waiting)
for file in kept[:30]: file.close()
waiting.join(5)
assert opened and opened[0].fileno() < 40
assert graceful.BUDGET.line.ceiling == 40 - 5 - 3, graceful.BUDGET.line
for file in kept[30:] + opened: file.close()
for soft in (100, 30, 250, 24, 64):
    limit_to(soft)
    def read(number):
        for _ in range(3):
            with graceful.open(FILE, "rb") as file: file.read()
    in_threads(read, 40)
    seen = graceful.statistics()
    assert seen.capacity <= soft - 3 - graceful.limits().reserve and not seen.lent, (soft, seen)
""",
        limit=256,
    )


def test_a_budget_made_larger_than_the_limit_lends_what_the_limit_leaves(limited) -> None:
    """``resize`` and ``max_open_files`` are bounds; the limit is another."""
    limited(
        LIMIT_TO
        + """
graceful.configure(max_open_files=30)
graceful.BUDGET.resize(1000)
assert graceful.statistics().capacity == 64 - 8 - 3
limit_to(128)
assert graceful.statistics().capacity == 128 - 16 - 3
graceful.BUDGET.resize(20)
assert graceful.statistics().capacity == 20
""",
        limit=64,
        hard=256,
    )


@pytest.mark.slow
@pytest.mark.timeout(90)
def test_files_above_a_lowered_limit_leave_room_for_the_one_who_must_go_on(limited) -> None:
    """All hold a file up there and ask for another: the free numbers below serve them in time."""
    limited(
        LIMIT_TO
        + """
graceful.configure()
below = [graceful.open(FILE) for _ in range(60)]
barrier = threading.Barrier(21)
def job(number):
    with graceful.open(FILE):
        barrier.wait()
        barrier.wait()
        graceful.open(FILE).close()
holding = threading.Thread(target=in_threads, args=(job, 20, 60))
holding.start()
barrier.wait()
limit_to(20)
for file in below: file.close()
assert graceful.statistics().capacity == 20 - 4 - 3 < lent() == 20
barrier.wait()
holding.join(60)
seen = graceful.statistics()
assert not holding.is_alive() and (seen.lent, seen.deadlocks) == (0, 0), seen
""",
        limit=256,
    )


def test_a_limit_measured_at_a_bad_moment_is_measured_again(limited) -> None:
    """Others have nearly everything when it is measured, the kernel refuses, and then they go."""
    limited(
        LIMIT_TO
        + """
graceful.configure()
full = graceful.statistics().capacity
mine = graceful.open(FILE)
barrier = threading.Barrier(6)
def job(number):
    with graceful.open(FILE):
        barrier.wait()
        barrier.wait()
        graceful.open(FILE).close()
working = threading.Thread(target=in_threads, args=(job, 5), daemon=True)
working.start()
barrier.wait()
foreign = []
with contextlib.suppress(OSError):
    while True:
        foreign.append(os.open(FILE, os.O_RDONLY))
barrier.wait()
wait_for(lambda: graceful.BUDGET.line.refused)
limit_to(63)
assert graceful.statistics().capacity == 1
for number in foreign: os.close(number)
working.join(10)
seen = graceful.statistics()
assert not working.is_alive() and seen.deadlocks == 0, seen
wait_for(lambda: graceful.statistics().capacity >= full - 2)  # it rises in steps of 50 ms
mine.close()
""",
        limit=64,
        hard=256,
    )


@pytest.mark.parametrize(
    "asking", ["graceful.statistics().capacity", "graceful.BUDGET.line.capacity"]
)
def test_what_others_give_up_is_lent_while_the_line_moves(limited, asking) -> None:
    """It never stands still, the limit stays, and nobody has to ask for figures either."""
    limited(
        f"def capacity(): return {asking}"
        """
foreign = [os.open(FILE, os.O_RDONLY) for _ in range(45)]
graceful.configure()
least = graceful.statistics().capacity
assert least == 64 - 8 - 3 - 45
is_over = False
def read(number):
    while not is_over:
        with graceful.open(FILE, "rb") as file: file.read()
working = threading.Thread(target=in_threads, args=(read, 20))
working.start()
wait_for(lambda: graceful.BUDGET.line.waits > 20)
for number in foreign: os.close(number)
wait_for(lambda: capacity() >= least + 45 - 20, 5)
is_over = True
working.join()
wait_for(lambda: graceful.statistics().capacity == least + 45)
assert lent() == 0
""",
        limit=64,
    )


def test_what_others_take_for_a_while_makes_nobody_fail_who_waits_for_more(limited) -> None:
    """A request as large as the budget outlives a measure by which it would be too large."""
    limited(
        """
graceful.configure()
full = graceful.statistics().capacity
mine = graceful.open(FILE)
results = []
def reserve():
    with graceful.reserve(full): results.append("served")
waiting = threading.Thread(target=reserve)
waiting.start()
wait_for(lambda: graceful.BUDGET.line.waiting)
foreign = [os.open(FILE, os.O_RDONLY) for _ in range(30)]
with contextlib.suppress(graceful.BudgetTooSmall):
    graceful.reserve(full + 1).__enter__()
threading.Event().wait(1.5)
for number in foreign: os.close(number)
mine.close()
waiting.join(5)
assert results == ["served"], graceful.statistics()
""",
        limit=64,
    )


PRESSURE = """
graceful.configure()
full = graceful.statistics().capacity
mine = graceful.open(FILE)
foreign = []
with contextlib.suppress(OSError):
    while True:
        foreign.append(os.open(FILE, os.O_RDONLY))
opening = threading.Thread(target=lambda: graceful.open(FILE).close())
opening.start()
wait_for(lambda: graceful.BUDGET.line.refused)
mine.close()
opening.join(5)
assert not opening.is_alive()
assert graceful.statistics().capacity < full, graceful.statistics()
for number in foreign: os.close(number)
"""


def test_a_process_that_was_idle_finds_its_capacity_again(limited) -> None:
    """Nobody asked for anything since the pressure went, and no thread was kept for it."""
    limited(
        PRESSURE
        + """
threads = threading.active_count()
wait_for(lambda: graceful.statistics().capacity == full, 2)
assert threading.active_count() == threads == 1
files = [graceful.open(FILE) for _ in range(full)]
seen = graceful.statistics()
assert (seen.lent, seen.refused_machine) == (full, 0), seen
for file in files: file.close()
""",
        hard=256,
    )


def test_an_open_after_an_idle_while_meets_the_whole_capacity(limited) -> None:
    """The time that passed counts, not the number of looks at it."""
    limited(
        PRESSURE
        + """
threading.Event().wait(1.0)
before = graceful.BUDGET.line.waits
files = [graceful.open(FILE) for _ in range(full)]
assert graceful.BUDGET.line.waits == before
assert graceful.BUDGET.line.capacity == full
for file in files: file.close()
""",
        hard=256,
    )
