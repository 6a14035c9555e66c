"""One contestant's pool in a process of its own: started, warmed up by one pass, measured in one.

    python -m benchmarks.passes map FAMILY --function digest --paths FILE [--chunk 100]
    python -m benchmarks.passes calls FAMILY --latencies 2000 --calls 20000
    python -m benchmarks.passes skew FAMILY --short 6000 --long-s 3
    python -m benchmarks.passes items --count 1000

The figures go to standard output as JSON. A process each, because an idle pool is not idle: some
look for work again and again, in threads that the others would have to share an interpreter with.
"""

from __future__ import annotations

import argparse
import json
import threading
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeAlias

from benchmarks import functions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Executor
    from contextlib import AbstractContextManager

Run: TypeAlias = "Callable[[Callable[[Any], Any], Sequence[Any]], list[Any]]"
"""Runs a function over items, and returns all that came of it."""

ITEM_BYTES = 4_000_000
CONSUMER_S = 0.005


@contextmanager
def ours(workers: int, chunk: int) -> Iterator[Run]:  # noqa: ARG001  (nothing to tune)
    """``Pool.map``: full outcomes."""
    from fsworkers import Pool  # noqa: PLC0415  (each contestant only its own)

    with Pool(workers) as pool:
        yield lambda function, items: list(pool.map(function, items))


@contextmanager
def futures(workers: int, chunk: int) -> Iterator[Run]:
    """``concurrent.futures.ProcessPoolExecutor.map``."""
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415

    with ProcessPoolExecutor(workers) as pool:
        yield lambda function, items: list(pool.map(function, items, chunksize=chunk))


@contextmanager
def standard(workers: int, chunk: int) -> Iterator[Run]:
    """``multiprocessing.Pool.imap_unordered``."""
    import multiprocessing  # noqa: PLC0415

    with multiprocessing.Pool(workers) as pool:
        yield lambda function, items: list(pool.imap_unordered(function, items, chunk))


@contextmanager
def joblib(workers: int, chunk: int) -> Iterator[Run]:  # noqa: ARG001  (it sizes batches itself)
    """``joblib.Parallel``, its default backend and batches."""
    from joblib import Parallel, delayed  # noqa: PLC0415

    with Parallel(n_jobs=workers) as parallel:
        yield lambda function, items: list(parallel(map(delayed(function), items)))


@contextmanager
def mpire(workers: int, chunk: int) -> Iterator[Run]:  # noqa: ARG001  (its own default is 64 each)
    """``mpire.WorkerPool.imap_unordered``, its default chunks."""
    from mpire.pool import WorkerPool  # noqa: PLC0415

    with WorkerPool(n_jobs=workers, keep_alive=True) as pool:
        yield lambda function, items: list(pool.imap_unordered(function, items))


@contextmanager
def pebble(workers: int, chunk: int) -> Iterator[Run]:
    """``pebble.ProcessPool.map``."""
    from pebble import ProcessPool  # noqa: PLC0415

    with ProcessPool(max_workers=workers) as pool:
        yield lambda function, items: list(pool.map(function, items, chunksize=chunk).result())


@contextmanager
def loop(workers: int, chunk: int) -> Iterator[Run]:  # noqa: ARG001  (no workers)
    """A bare loop of this process."""
    yield lambda function, items: [function(item) for item in items]


FAMILIES: dict[str, Callable[[int, int], AbstractContextManager[Run]]] = {
    "fsworkers": ours,
    "ProcessPoolExecutor": futures,
    "multiprocessing": standard,
    "joblib": joblib,
    "mpire": mpire,
    "pebble": pebble,
    "loop": loop,
}


def values_of(results: Sequence[Any]) -> list[Any]:
    """Bare results; of outcomes, what they carry.

    Raises:
        RuntimeError: An outcome is not ``done``.
    """
    if not hasattr(results[0], "status"):
        return list(results)
    for outcome in results:
        if outcome.status != "done":
            message = f"{outcome.path}: {outcome.status}, {outcome.error}"
            raise RuntimeError(message)
    return [outcome.value for outcome in results]


def measure_map(asked: argparse.Namespace) -> dict[str, float]:
    """Jobs a second of a pass over all paths, or over the first so many."""
    paths = Path(asked.paths).read_text().splitlines()[: asked.most]
    function = functions.NAMED[asked.function]
    with FAMILIES[asked.family](asked.workers, asked.chunk) as run:
        run(function, paths)
        began = perf_counter()
        results = run(function, paths)
        seconds = perf_counter() - began
    values = values_of(results)
    assert len(values) == len(paths), f"{len(values)} results"
    assert function is functions.nothing or len(set(values)) == len(set(paths)), "wrong results"
    return {"rate_per_s": len(paths) / seconds}


def measure_skew(asked: argparse.Namespace) -> dict[str, float]:
    """A pass with one long job first, in units of what it would take if it were divided evenly."""
    durations = [asked.long_s] + [0.001] * asked.short
    with FAMILIES[asked.family](asked.workers, asked.chunk) as run:
        run(functions.nap, [0.001] * 200)
        began = perf_counter()
        results = run(functions.nap, durations)
        seconds = perf_counter() - began
    slept_s = values_of(results)
    assert len(slept_s) == len(durations), f"{len(slept_s)} results"
    return {"of_ideal": seconds / (sum(slept_s) / asked.workers)}


def measure_calls(asked: argparse.Namespace) -> dict[str, float]:
    """One call at a time and what it takes, then many at once and how many a second."""
    with calling(asked.family, asked.workers) as (call, call_all):
        for _ in range(200):
            call()
        latencies = []
        for _ in range(asked.latencies):
            began = perf_counter()
            call()
            latencies.append(perf_counter() - began)
        call_all(asked.calls // 10)
        began = perf_counter()
        results = call_all(asked.calls)
        seconds = perf_counter() - began
    assert results == [1] * asked.calls, "wrong results"
    return {
        "p50_s": median(latencies),
        "p99_s": quantiles(latencies, n=100)[98],
        "rate_per_s": asked.calls / seconds,
    }


@contextmanager
def calling(
    family: str, workers: int
) -> Iterator[tuple[Callable[[], object], Callable[[int], list[Any]]]]:
    """A pool for single calls: a function that makes one, and one that makes many at once."""
    if family == "multiprocessing":
        import multiprocessing  # noqa: PLC0415

        with multiprocessing.Pool(workers) as standard_pool:

            def apply_all(count: int) -> list[Any]:
                waiting = [standard_pool.apply_async(abs, (1,)) for _ in range(count)]
                return [one.get() for one in waiting]

            yield lambda: standard_pool.apply(abs, (1,)), apply_all
        return
    if family == "fsworkers":
        from fsworkers import Pool  # noqa: PLC0415

        executor: Executor = Pool(workers)
    else:
        from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415

        executor = ProcessPoolExecutor(workers)
    with executor as pool:

        def submit_all(count: int) -> list[Any]:
            waiting = [pool.submit(abs, 1) for _ in range(count)]
            return [one.result() for one in waiting]

        yield lambda: pool.submit(abs, 1).result(), submit_all


def measure_items(asked: argparse.Namespace) -> dict[str, float]:
    """Large items through ``Pool.map``, to somebody who takes a moment for each outcome."""
    from fsworkers import Pool  # noqa: PLC0415

    moment = threading.Event()
    count = 0
    with Pool(asked.workers) as pool:
        for outcome in pool.map(len, (bytes(ITEM_BYTES) for _ in range(asked.count))):
            assert outcome.value == ITEM_BYTES, outcome
            count += 1
            moment.wait(CONSUMER_S)
    assert count == asked.count, f"{count} outcomes"
    return {"items": count}


def main() -> None:
    """Measure one thing once."""
    parser = argparse.ArgumentParser(description=__doc__)
    kinds = parser.add_subparsers(required=True)

    def kind(name: str, measure: Callable[[argparse.Namespace], dict[str, float]]) -> Any:
        added = kinds.add_parser(name)
        added.set_defaults(measure=measure)
        added.add_argument("--workers", type=int, default=2)
        return added

    mapping, calls, skew = (
        kind(name, measure)
        for name, measure in (
            ("map", measure_map),
            ("calls", measure_calls),
            ("skew", measure_skew),
        )
    )
    for one in (mapping, calls, skew):
        one.add_argument("family", choices=FAMILIES)
        one.add_argument("--chunk", type=int, default=1)
    mapping.add_argument("--function", choices=functions.NAMED, default="digest")
    mapping.add_argument("--paths", required=True)
    mapping.add_argument("--most", type=int)
    calls.add_argument("--latencies", type=int, default=2000)
    calls.add_argument("--calls", type=int, default=20_000)
    skew.add_argument("--short", type=int, default=6000)
    skew.add_argument("--long-s", type=float, default=3.0)
    kind("items", measure_items).add_argument("--count", type=int, default=1000)
    asked = parser.parse_args()
    print(json.dumps(asked.measure(asked)))


if __name__ == "__main__":
    main()
