"""What the asynchronous face costs, as ratios to aiofiles in the same run.

Usage: ``python benchmarks/graceful_async.py [FILES]``
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import aiofiles  # noqa: TID251 - what is compared with

from fsworkers import graceful
from fsworkers.graceful import aio

ROUNDS = 7


async def seconds_each(call: Any, number: int, at_once: int) -> float:
    """Seconds a call with so many of them in flight."""

    async def several() -> None:
        for _ in range(number // at_once):
            await call()

    begun_s = time.perf_counter()
    await asyncio.gather(*(several() for _ in range(at_once)))
    return (time.perf_counter() - begun_s) / number


async def compare(path: str, number: int) -> None:
    """Print a line for each number of files in flight."""

    def steps(module: Any) -> Any:
        async def call() -> None:
            async with module.open(path, "rb") as file:
                await file.read()

        return call

    async def whole() -> None:
        await aio.read_bytes(path)

    calls = (steps(aiofiles), steps(aio), whole)
    for at_once in (1, 16, 64):
        rounds = [[await seconds_each(c, number, at_once) for c in calls] for _ in range(ROUNDS)]
        theirs, ours, one_hop = (min(column) for column in zip(*rounds, strict=True))
        print(
            f"{at_once:3} at once: aiofiles {theirs * 1e6:.0f} µs, here {ours * 1e6:.0f} µs "
            f"x {ours / theirs:.2f} (bar 1.1), read_bytes {one_hop * 1e6:.0f} µs, "
            f"{theirs / one_hop:.1f} times faster (bar 2.5)"
        )


def main(number: int) -> None:
    """Compare on one small file."""
    graceful.configure()
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "file"))
        Path(path).write_bytes(b"x" * 4096)
        asyncio.run(compare(path, number))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1280)
