"""The page on which workers note what they have begun."""

from __future__ import annotations

from fsworkers.pool.blocks import Begun
from fsworkers.pool.progress import ProgressLine, ProgressPage


def test_master_reads_what_a_worker_wrote() -> None:
    """Each worker has a line of its own; one that is new, or used before, tells of nothing."""
    page = ProgressPage()
    lines = [page.take_line() for _ in range(3)]
    workers = [ProgressLine(page.descriptor, line) for line in lines]
    assert [page.read(line) for line in lines] == [None] * 3
    workers[1].of_block(7)(40, 45)
    assert [page.read(line) for line in lines] == [None, Begun(7, 40, 45), None]
    page.give_back(lines[1])
    assert page.read(page.take_line()) is None
    page.close()


def test_page_grows_with_the_workers() -> None:
    """Those that were there before go on writing where the master reads."""
    page = ProgressPage()
    first = page.take_line()
    worker = ProgressLine(page.descriptor, first)
    others = [page.take_line() for _ in range(300)]
    assert len({first, *others}) == 301
    worker.of_block(1)(0, 1)
    last = ProgressLine(page.descriptor, others[-1])
    last.of_block(2)(5, 6)
    assert (page.read(first), page.read(others[-1])) == (Begun(1, 0, 1), Begun(2, 5, 6))
    page.close()
