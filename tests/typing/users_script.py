"""A user's script: the public types are what a strict checker makes of them, and it runs."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any, assert_type

from fsworkers import Outcome, Pool, RunSummary, graceful, process_tree


def size(path: str) -> int:
    """A function of a path."""
    return len(path)


async def size_later(path: str) -> int:
    """A coroutine function of a path."""
    await asyncio.sleep(0)
    return len(path)


def submitted(pool: Pool) -> None:
    """A future has what the function returns, also if that has to be awaited."""
    assert_type(pool.submit(size, "ab"), Future[int])
    assert_type(pool.submit(size_later, "ab"), Future[int])
    assert pool.submit(size_later, path="ab").result() == 2


def mapped(pool: Pool) -> None:
    """An outcome knows its item and its value."""
    for outcome in pool.map(size, ["ab"]):
        assert_type(outcome, Outcome[str, int])
        assert_type(outcome.path, str)
        assert_type(outcome.value, int | None)
        assert_type(outcome.ok, bool)
        assert_type(outcome.result(), int)
    for later in pool.map(size_later, ["ab"], ordered=True):
        assert_type(later, Outcome[str, int])
        assert later.result() == 2
    for power in pool.map(pow, [2], [3]):
        assert_type(power, Outcome[Any, Any])
        assert power.result() == 8


def as_executor(pool: Pool) -> None:
    """What takes an executor takes a pool."""
    executor: Executor = pool.as_executor()
    assert list(executor.map(size, ["a", "bc"])) == [1, 2]
    assert_type(list(pool.as_executor().map(size, ["a"])), list[int])


def bare(outcomes: list[Outcome]) -> list[Any]:
    """Who does not care leaves the parameters out."""
    return [outcome.value for outcome in outcomes]


async def read(path: Path) -> bytes:
    """The layer's files are used as aiofiles'."""
    async with graceful.aio.open(path, "rb") as file:
        content: bytes = await file.read()
    return content


def main() -> None:
    """All of it."""
    with Pool(max_workers=2) as pool:
        submitted(pool)
        mapped(pool)
        as_executor(pool)
    here = Path(__file__)
    assert asyncio.run(read(here)) == here.read_bytes()
    assert_type(process_tree(here, size, engine="inline"), RunSummary)
    assert bare([Outcome("a", "done", 1)]) == [1]


if __name__ == "__main__":
    main()
