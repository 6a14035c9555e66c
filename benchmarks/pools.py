"""``Pool`` beside the other pools of Python: map, single calls, one slow job among many.

Each turn is a process of its own (``passes``) with a pool that has made one pass before it is
measured. Peers get chunk sizes by hand, ours has none to choose. Where a chunk is a single job, the
pass goes over a tenth of the files: it takes that long.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from benchmarks import passes, peers
from benchmarks.commands import SMALL_BYTES
from benchmarks.figures import BEST, Bar, Line, Measured
from benchmarks.measure import Contestant, run
from benchmarks.peers import OURS

if TYPE_CHECKING:
    from benchmarks.conditions import Conditions
    from benchmarks.measure import Sample

IDEAL = "the ideal"
"""As many times the rate of a bare loop as there are workers."""

_CHUNKS = (1, 100, 1000)
_LARGEST_CHUNK = 10_000
_PEBBLE_CHUNK = 1000


def map_noop(conditions: Conditions) -> list[Line]:
    """Nothing done to each file: what a pool itself costs."""
    return _map(conditions, "map-noop", "nothing", [Bar(0.8, BEST)])


def map_sha256(conditions: Conditions) -> list[Line]:
    """Each file read and hashed, by the builtin ``open`` and hashlib."""
    return _map(conditions, "map-sha256", "digest", [Bar(0.95, BEST), Bar(0.88, IDEAL)])


def submit(conditions: Conditions) -> list[Line]:
    """Single calls of next to nothing, one after another and all at once."""
    latencies = conditions.pick(full=2000, short=500)
    calls = conditions.pick(full=20_000, short=5000)
    families = {OURS: OURS, "ProcessPoolExecutor": "ProcessPoolExecutor"}
    families["multiprocessing apply"] = "multiprocessing"
    sizes = ["--latencies", str(latencies), "--calls", str(calls)]
    race = conditions.race(
        [
            Contestant(name, partial(_pass, conditions, "calls", family, *sizes))
            for name, family in families.items()
        ]
    )
    return [
        Line(
            "submit",
            what,
            "/s" if key == "rate_per_s" else "s",
            race.measured(OURS, key),
            [race.measured(name, key) for name in families if name != OURS],
            [] if limit is None else [Bar(limit, "ProcessPoolExecutor")],
            is_more_better=key == "rate_per_s",
        )
        for key, what, limit in (
            ("p50_s", "one call and its result, median", 1.2),
            ("p99_s", "one call and its result, 99th percentile", None),
            ("rate_per_s", f"{calls:,} calls, then their results", 2.0),
        )
    ]


def skew(conditions: Conditions) -> list[Line]:
    """One long job before very many short ones."""
    long_s, short = conditions.pick(full=3, short=1), conditions.pick(full=6000, short=2000)
    contestants = {OURS: (OURS, 1)}
    for chunk in (1, 100):
        contestants[f"imap_unordered, chunk {chunk}"] = ("multiprocessing", chunk)
    sizes = ["--short", str(short), "--long-s", str(long_s)]
    race = conditions.race(
        [
            Contestant(
                name, partial(_pass, conditions, "skew", family, "--chunk", str(chunk), *sizes)
            )
            for name, (family, chunk) in contestants.items()
        ],
        short=1,
    )
    return [
        Line(
            "skew",
            f"{long_s} s first, then {short:,} of 1 ms, in units of the ideal",
            "",
            race.measured(OURS, "of_ideal"),
            [race.measured(name, "of_ideal") for name in contestants if name != OURS],
            [Bar(1.05)],
        )
    ]


def _map(conditions: Conditions, name: str, function: str, bars: list[Bar]) -> list[Line]:
    files = conditions.grove.tree(conditions.pick(full=100_000, short=20_000), SMALL_BYTES)
    paths = conditions.scratch / "paths"
    paths.write_text("".join(f"{path}\n" for path in files.paths()))

    def contestant(label: str, family: str, chunk: int = 1, *, is_slow: bool = False) -> Contestant:
        arguments = ["--function", function, "--paths", str(paths), "--chunk", str(chunk)]
        if is_slow:
            arguments += ["--most", str(files.files // 10)]
        is_library = family in peers.LIBRARIES
        return Contestant(
            label,
            partial(_pass, conditions, "map", family, *arguments),
            peers.missing_library(family) if is_library else None,
        )

    chunks = (*_CHUNKS, _LARGEST_CHUNK) if conditions.is_full else _CHUNKS
    contestants = [contestant(f"{OURS} Pool.map", OURS), contestant("bare loop", "loop")]
    for chunk in chunks:
        for label, family in (
            ("ProcessPoolExecutor", "ProcessPoolExecutor"),
            ("imap_unordered", "multiprocessing"),
        ):
            contestants.append(
                contestant(f"{label}, chunk {chunk}", family, chunk, is_slow=chunk == 1)
            )
    contestants += [
        contestant("joblib", "joblib"),
        contestant("mpire", "mpire"),
        contestant(f"pebble, chunk {_PEBBLE_CHUNK}", "pebble", _PEBBLE_CHUNK),
    ]
    race = conditions.race(contestants, short=2)
    ours, bare, *others = (race.measured(one.name, "rate_per_s") for one in contestants)
    rates = [conditions.workers * rate for rate in bare.values]
    ideal = Measured(IDEAL, rates, failed=bare.failed, is_limit=True)
    what = f"jobs a second over {files.files:,} files of 4 KiB"
    if function == "nothing":
        what = f"jobs a second over {files.files:,} paths"
    return [Line(name, what, "/s", ours, [ideal, *others], bars, is_more_better=True)]


def _pass(conditions: Conditions, kind: str, family: str, *arguments: str) -> Sample:
    output = conditions.scratch / "figures.json"
    argv = ["-m", passes.__name__, kind, family, "--workers", str(conditions.workers), *arguments]
    run(conditions.python(*argv, output=output))
    figures: dict[str, float] = json.loads(output.read_text())
    return figures
