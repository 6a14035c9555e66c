"""How large the process that somebody started becomes, however much goes through it.

The figure is the peak of resident memory that the kernel kept, of the command or of one of its
workers, whichever was larger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import passes
from benchmarks.commands import TINY_BYTES
from benchmarks.figures import Bar, Line
from benchmarks.measure import Contestant, check_lines, run
from benchmarks.peers import OURS

if TYPE_CHECKING:
    from benchmarks.conditions import Conditions
    from benchmarks.measure import Sample


def memory(conditions: Conditions) -> list[Line]:
    """A million files, and a thousand items of 4 MB."""
    files = conditions.grove.tree(conditions.pick(full=1_000_000, short=100_000), TINY_BYTES)
    items = conditions.pick(full=1000, short=200)
    output = conditions.scratch / "out.jsonl"
    through_map = f"{OURS} Pool.map"

    def over_files() -> Sample:
        sample = conditions.process(files.root, output=output)
        check_lines(output, files.files)
        return sample

    def over_items() -> Sample:
        workers = str(conditions.workers)
        argv = ["-m", passes.__name__, "items", "--count", str(items), "--workers", workers]
        return run(conditions.python(*argv))

    race = conditions.race(
        [Contestant(OURS, over_files), Contestant(through_map, over_items)], full=3, short=1
    )
    return [
        Line(
            "memory",
            what,
            "B",
            race.measured(name, "max_rss_bytes"),
            bars=[Bar(megabytes * 1e6)],
        )
        for name, what, megabytes in (
            (OURS, f"peak over {files.files:,} files", 80),
            (through_map, f"peak with {items:,} items of 4 MB, a slow consumer", 250),
        )
    ]
