"""Jobs a second through ``Pool.map`` against the standard library's pools at hand-tuned chunks.

    python -m benchmarks.dispatch [--files 50000] [--rounds 3]

Every peer gets chunks of 1, 100 and 1,000; ours has nothing to tune. Each function runs over the
same list of paths; the figure is the median of the rounds.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

from benchmarks.trees import make_tree
from fsworkers import Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

WORKERS = 2


def nothing(path: str) -> None:
    """A job of no work."""


def digest(path: str) -> str:
    """A job of some work: sha256 of a small file."""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def rate(results: Callable[[], Iterable[object]], jobs: int) -> float:
    """Jobs a second of one pass."""
    began = perf_counter()
    count = sum(1 for _ in results())
    assert count == jobs
    return jobs / (perf_counter() - began)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        make_tree(Path(folder) / "tree", asked.files, 4096)
        paths = [str(path) for path in Path(folder).rglob("*.bin")]
        with (
            Pool(WORKERS) as pool,
            ProcessPoolExecutor(WORKERS) as executor,
            multiprocessing.Pool(WORKERS) as standard,
        ):
            print(
                f"{'jobs a second, ' + str(WORKERS) + ' processes':44}{'no-op':>10}{'sha256':>10}"
            )
            contestants: list[tuple[str, Callable[..., Iterable[object]]]] = [
                ("fsworkers Pool.map", lambda f: pool.map(f, paths))
            ]
            for chunk in (1, 100, 1000):
                contestants += [
                    (
                        f"ProcessPoolExecutor.map, chunksize {chunk}",
                        lambda f, c=chunk: executor.map(f, paths, chunksize=c),
                    ),
                    (
                        f"multiprocessing imap_unordered, chunksize {chunk}",
                        lambda f, c=chunk: standard.imap_unordered(f, paths, chunksize=c),
                    ),
                ]
            for name, run in contestants:
                figures = []
                for function in (nothing, digest):
                    results = [
                        rate(lambda: run(function), len(paths))  # noqa: B023  (called at once)
                        for _ in range(asked.rounds)
                    ]
                    figures.append(median(results))
                print(f"{name:44}{figures[0]:>10,.0f}{figures[1]:>10,.0f}", flush=True)


if __name__ == "__main__":
    main()
