"""What it takes to begin: the command over one file, its help, and very many workers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.figures import Bar, Line
from benchmarks.measure import Contestant, check_lines, run
from benchmarks.peers import OURS

if TYPE_CHECKING:
    from benchmarks.conditions import Conditions
    from benchmarks.measure import Sample

FEW, MANY = 6, 1000


def start(conditions: Conditions) -> list[Line]:
    """One small file, and the help, in units of what importing our command line's library takes."""
    (path,) = conditions.grove.tree(1, 4096).paths()
    output = conditions.scratch / "out.jsonl"
    importing, one_file, helping = "import typer", f"{OURS} process", f"{OURS} --help"

    def process() -> Sample:
        conditions.forget_runs()
        return run(conditions.fsworkers("process", path, output=output))

    race = conditions.race(
        [
            Contestant(one_file, process),
            Contestant(helping, lambda: run(conditions.fsworkers("--help"))),
            Contestant(importing, lambda: run(conditions.python("-c", "import typer"))),
        ],
        full=40,
        short=8,
    )
    peers = [race.measured(importing, "wall_s")]
    return [
        Line(
            "start",
            f"{name}{what}",
            "s",
            race.measured(name, "wall_s"),
            peers,
            [Bar(limit, importing)],
        )
        for name, what, limit in ((one_file, " of one small file", 3.3), (helping, "", 1.8))
    ]


def many_workers(conditions: Conditions) -> list[Line]:
    """A thousand workers asked for, and work for six."""
    files = conditions.grove.tree(FEW, 4096)
    output = conditions.scratch / "out.jsonl"

    def process(workers: int) -> Sample:
        conditions.forget_runs()
        output.unlink(missing_ok=True)
        command = conditions.fsworkers("process", files.root, "-j", str(workers), "-o", output)
        sample = run(replace(command, limit_s=conditions.pick(full=60, short=10)))
        check_lines(output, files.files)
        return sample

    few, many = f"{OURS} -j {FEW}", f"{OURS} -j {MANY}"
    race = conditions.race(
        [
            Contestant(many, lambda: process(MANY)),
            Contestant(few, lambda: process(FEW)),
        ]
    )
    return [
        Line(
            "many-workers",
            f"whole command over {FEW} files",
            "s",
            race.measured(many, "wall_s"),
            [race.measured(few, "wall_s")],
            [Bar(1.5, few)],
        )
    ]
