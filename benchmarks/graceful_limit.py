"""4,097 concurrent writes, then 4,097 reads: at a limit of 64 against no limit to speak of.

graceful-fs' own test, and its hard case: there the limit makes it five times slower.

Usage: ``python benchmarks/graceful_limit.py``
"""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fsworkers import graceful
from fsworkers.graceful import aio

COUNT = 4097


async def write_and_read(folder: str) -> None:
    """All at once, each file in three steps."""

    async def write(number: int) -> None:
        async with aio.open(Path(folder, str(number)), "w") as file:
            await file.write("content")

    async def read(number: int) -> None:
        async with aio.open(Path(folder, str(number))) as file:
            assert await file.read() == "content"

    await asyncio.gather(*(write(number) for number in range(COUNT)))
    await asyncio.gather(*(read(number) for number in range(COUNT)))


def measure(limit: int) -> None:
    """Print the seconds it takes at a limit."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    graceful.configure()
    with tempfile.TemporaryDirectory() as folder:
        begun_s = time.perf_counter()
        asyncio.run(write_and_read(folder))
        print(time.perf_counter() - begun_s)


def main() -> None:
    """Take turns, three rounds, the best of each."""
    taken_s: dict[int, list[float]] = {64: [], 8192: []}
    for _ in range(3):
        for limit, seconds in taken_s.items():
            command = [sys.executable, __file__, str(limit)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            seconds.append(float(done.stdout))
    tight_s, free_s = min(taken_s[64]), min(taken_s[8192])
    print(f"limit 64: {tight_s:.2f} s, 8,192: {free_s:.2f} s: x {tight_s / free_s:.2f} (bar 1.5)")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(int(sys.argv[1]))
    else:
        main()
