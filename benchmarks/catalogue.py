"""All benchmarks, in the order in which they are run."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from benchmarks import cluster, commands, memory, pools, resume, starts

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.conditions import Conditions
    from benchmarks.figures import Line


class Benchmark(NamedTuple):
    """One topic.

    Attributes:
        name: What it is called on the command line.
        measure: Does it, and returns its lines.
        description: What is measured, at full size, in a sentence.
        bar: What ours is held to, in words.
    """

    name: str
    measure: Callable[[Conditions], list[Line]]
    description: str
    bar: str


BENCHMARKS = (
    Benchmark(
        "tree",
        commands.tree,
        "the whole command over 100,000 files of 4 KiB, journal on",
        "time ≤ 0.70 of xargs",
    ),
    Benchmark(
        "tiny",
        commands.tiny,
        "the whole command over 1,000,000 files of 16 bytes",
        "time ≤ 0.80 of xargs",
    ),
    Benchmark(
        "blake3",
        commands.blake3,
        "blake3 of 100,000 files of 4 KiB",
        "time ≤ 1.0 of xargs b3sum",
    ),
    Benchmark(
        "commands",
        commands.commands,
        "a command that does nothing for each of 2,000 files",
        "time ≤ 1.3 of xargs, ≤ 1.0 of fd, ≤ 1/3 of GNU parallel",
    ),
    Benchmark("large", commands.large, "40 files of 64 MiB", "time ≤ 1.25 of C"),
    Benchmark(
        "map-noop",
        pools.map_noop,
        "Pool.map of a function that does nothing over 100,000 paths",
        "rate ≥ 0.8 of the best peer",
    ),
    Benchmark(
        "map-sha256",
        pools.map_sha256,
        "Pool.map of sha256 over 100,000 files of 4 KiB",
        "rate ≥ 0.95 of the best peer, ≥ 0.88 of the ideal",
    ),
    Benchmark(
        "steady",
        commands.steady,
        "files a second from 100,000 to 200,000, so without start and end",
        "rate ≥ 0.7 of C",
    ),
    Benchmark(
        "submit",
        pools.submit,
        "single calls: how long one takes, and how many a second",
        "p50 ≤ 1.2, rate ≥ 2 of ProcessPoolExecutor",
    ),
    Benchmark(
        "start",
        starts.start,
        "the command over one small file, and its help",
        "time ≤ 3.3 and ≤ 1.8 of import typer",
    ),
    Benchmark(
        "journal",
        commands.journal,
        "the journal's cost over 100,000 files, in time and bytes",
        "time ≤ 1.08 of none, ≤ 120 B a file",
    ),
    Benchmark(
        "memory",
        memory.memory,
        "peak memory over 1,000,000 files, and with 1,000 items of 4 MB",
        "≤ 80 MB, ≤ 250 MB",
    ),
    Benchmark(
        "skew",
        pools.skew,
        "a job of 3 s before 6,000 of 1 ms",
        "time ≤ 1.05 of the ideal",
    ),
    Benchmark(
        "many-workers",
        starts.many_workers,
        "six files with 1,000 workers asked for",
        "time ≤ 1.5 of six workers",
    ),
    Benchmark(
        "resume",
        resume.resume,
        "going on with 1,000,000 files, nine tenths of them recorded",
        "≤ 3 µs a recorded file above a fresh run",
    ),
    Benchmark(
        "scaling",
        commands.scaling,
        "time a file at 1,000,000 against 100,000 files",
        "≤ 1.1",
    ),
    Benchmark(
        "dask",
        cluster.engines,
        "100,000 files of 4 KiB by the engine dask, two nodes on this machine",
        "rate ≥ 0.75 of the engine local, ≥ 10 of a future a file",
    ),
)
