"""The whole command over whole trees: start, scan, reading, hashing, output and journal."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from benchmarks import peers
from benchmarks.figures import Bar, Line, Measured
from benchmarks.measure import Command, CommandFailed, Contestant, check_lines, run
from benchmarks.peers import OURS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from benchmarks.conditions import Conditions
    from benchmarks.measure import Sample
    from benchmarks.trees import Tree

SMALL_BYTES = 4096
TINY_BYTES = 16
LARGE_BYTES = 64 << 20

XARGS = "xargs sha256sum"
_MOST_TRIES = 5
_MOST_RCLONE_FILES = 50_000
"""In the short form: 100,000 take it ten seconds, and as long to be read into memory again."""


def tree(conditions: Conditions) -> list[Line]:
    """Ours and all peers over many small files."""
    files = conditions.grove.tree(conditions.pick(full=100_000, short=20_000), SMALL_BYTES)
    slow_rounds = conditions.pick(full=5, short=1)
    return [_against_all(conditions, "tree", files, Bar(0.70, XARGS), slow_rounds)]


def tiny(conditions: Conditions) -> list[Line]:
    """The same over a million files with hardly anything in them."""
    files = conditions.grove.tree(conditions.pick(full=1_000_000, short=100_000), TINY_BYTES)
    slow_rounds = conditions.pick(full=2, short=1)
    return [_against_all(conditions, "tiny", files, Bar(0.80, XARGS), slow_rounds)]


def blake3(conditions: Conditions) -> list[Line]:
    """Another algorithm, against the tool that was made for it."""
    files = conditions.grove.tree(conditions.pick(full=100_000, short=20_000), SMALL_BYTES)
    peer = "xargs b3sum"
    race = conditions.race(
        [
            _ours(conditions, [files], "--option", "algorithm=blake3", needs="blake3"),
            _xargs(conditions, peer, files, "b3sum"),
        ]
    )
    return [
        Line(
            "blake3",
            f"whole command over {_measure_of(files)}",
            "s",
            race.measured(OURS, "wall_s"),
            [race.measured(peer, "wall_s")],
            [Bar(1.0, peer)],
        )
    ]


def commands(conditions: Conditions) -> list[Line]:
    """A command that does nothing for each file: what it takes to start so many."""
    files = conditions.grove.tree(2_000, TINY_BYTES)
    output = conditions.scratch / "out.commands"
    xargs, fd, parallel = "xargs -n1 true", "fd -x true", "GNU parallel true"
    find = 'find "$0" -type f -print0'

    def contestant(name: str, tools: Sequence[str], argv: Sequence[str | Path]) -> Contestant:
        def measure() -> Sample:
            return run(Command([*argv], conditions.limit_s, output))

        return Contestant(name, measure, peers.missing_tools(*tools))

    def ours() -> Sample:
        words = ("process", files.root, "-j", str(conditions.workers), "-q", "-x", "true")
        return run(conditions.fsworkers(*words, output=output))

    count, root = conditions.workers, files.root
    contestants = [
        Contestant(OURS, ours),
        contestant(xargs, ["xargs"], ["sh", "-c", f"{find} | xargs -0 -P{count} -n1 true", root]),
        contestant(fd, ["fd"], [_found("fd"), "-uu", "-tf", ".", root, f"-j{count}", "-x", "true"]),
        contestant(
            parallel, ["parallel"], ["sh", "-c", f"{find} | parallel -0 -j{count} true", root]
        ),
    ]
    race = conditions.race(contestants)
    return [
        Line(
            "commands",
            "-x true over 2,000 files",
            "s",
            race.measured(OURS, "wall_s"),
            [race.measured(one.name, "wall_s") for one in contestants[1:]],
            [Bar(1.3, xargs), Bar(1.0, fd), Bar(1 / 3, parallel)],
        )
    ]


def large(conditions: Conditions) -> list[Line]:
    """Few large files: next to nothing but hashing."""
    files = conditions.grove.tree(conditions.pick(full=40, short=8), LARGE_BYTES)
    race = conditions.race(
        [
            _ours(conditions, [files]),
            _limit(conditions, [files]),
            _xargs(conditions, XARGS, files, "sha256sum", at_once=1),
        ]
    )
    return [
        Line(
            "large",
            f"whole command over {_measure_of(files)}",
            "s",
            race.measured(OURS, "wall_s"),
            [race.measured(peers.LIMIT, "wall_s", is_limit=True), race.measured(XARGS, "wall_s")],
            [Bar(1.25, peers.LIMIT)],
        )
    ]


def steady(conditions: Conditions) -> list[Line]:
    """What another tree costs once everything runs: start and end are the same, and cancel out."""
    count = conditions.pick(full=100_000, short=20_000)
    both = [conditions.grove.tree(count, SMALL_BYTES, serial=serial) for serial in (0, 1)]

    def more(contestant: Callable[[Conditions, Sequence[Tree]], Contestant]) -> Contestant:
        two, one = (contestant(conditions, trees) for trees in (both, both[:1]))
        return Contestant(two.name, partial(_steady_rate, two, one, count), two.missing)

    race = conditions.race([more(_ours), more(_limit)])
    return [
        Line(
            "steady",
            f"from {count:,} to {2 * count:,} files of 4 KiB",
            "/s",
            race.measured(OURS, "rate_per_s"),
            [race.measured(peers.LIMIT, "rate_per_s", is_limit=True)],
            [Bar(0.7, peers.LIMIT)],
            is_more_better=True,
        )
    ]


def journal(conditions: Conditions) -> list[Line]:
    """What it costs to record everything, in time and on disk."""
    files = conditions.grove.tree(conditions.pick(full=100_000, short=20_000), SMALL_BYTES)
    without = f"{OURS} --no-journal"

    def recorded() -> Sample:
        sample = _ours(conditions, [files]).measure()
        written = [path for path in conditions.state.rglob("*") if path.is_file()]
        size_bytes = sum(path.stat().st_size for path in written)
        return {**sample, "bytes_per_file": size_bytes / files.files}

    race = conditions.race(
        [
            Contestant(OURS, recorded),
            _ours(conditions, [files], "--no-journal", name=without),
        ],
        full=9,
    )
    return [
        Line(
            "journal",
            f"whole command over {_measure_of(files)}",
            "s",
            race.measured(OURS, "wall_s"),
            [race.measured(without, "wall_s")],
            [Bar(1.08, without)],
        ),
        Line(
            "journal",
            "journal on disk, a file",
            "B",
            race.measured(OURS, "bytes_per_file"),
            bars=[Bar(120)],
        ),
    ]


def scaling(conditions: Conditions) -> list[Line]:
    """A file among ten times as many."""
    count = conditions.pick(full=100_000, short=10_000)
    few, many = (conditions.grove.tree(files, TINY_BYTES) for files in (count, 10 * count))
    peer = f"{OURS}, {few.files:,} files"

    def each(contestant: Contestant, files: Tree) -> Contestant:
        def measure() -> Sample:
            return {"each_s": contestant.measure()["wall_s"] / files.files}

        return Contestant(contestant.name, measure)

    race = conditions.race(
        [each(_ours(conditions, [many]), many), each(_ours(conditions, [few], name=peer), few)],
        short=2,
    )
    return [
        Line(
            "scaling",
            f"time a file over {_measure_of(many)}",
            "s",
            race.measured(OURS, "each_s"),
            [race.measured(peer, "each_s")],
            [Bar(1.1, peer)],
        )
    ]


def _against_all(
    conditions: Conditions, name: str, files: Tree, bar: Bar, slow_rounds: int
) -> Line:
    rclone = _peer(conditions, files, "rclone", ["rclone"], _rclone, most_rounds=slow_rounds)
    if files.files > _MOST_RCLONE_FILES and not conditions.is_full:
        rclone = replace(rclone, missing=rclone.missing or "left out of the short form, so slow")
    contestants = [
        _ours(conditions, [files]),
        _xargs(conditions, XARGS, files, "sha256sum"),
        _limit(conditions, [files]),
        _peer(conditions, files, "fd -X", ["fd", "sha256sum"], _fd),
        _peer(conditions, files, "hashdeep", ["hashdeep"], _hashdeep, most_rounds=slow_rounds),
        rclone,
        _peer(
            conditions,
            files,
            "GNU parallel",
            ["parallel", "sha256sum"],
            _parallel,
            most_rounds=slow_rounds,
        ),
    ]
    race = conditions.race(contestants, short=2 if name == "tiny" else 3)
    others: list[Measured] = [
        race.measured(one.name, "wall_s", is_limit=one.name == peers.LIMIT)
        for one in contestants[1:]
    ]
    what = f"whole command over {_measure_of(files)}"
    return Line(name, what, "s", race.measured(OURS, "wall_s"), others, [bar])


def _ours(
    conditions: Conditions,
    trees: Sequence[Tree],
    *options: str,
    name: str = OURS,
    needs: str | None = None,
) -> Contestant:
    output = conditions.scratch / "out.jsonl"

    def measure() -> Sample:
        sample = conditions.process(*(one.root for one in trees), *options, output=output)
        check_lines(output, sum(one.files for one in trees))
        return sample

    return Contestant(name, measure, needs and peers.missing_library(needs))


def _limit(conditions: Conditions, trees: Sequence[Tree]) -> Contestant:
    program, missing = peers.compile_limit(conditions.programs)
    output = conditions.scratch / "out.limit"
    roots = [one.root for one in trees]

    def measure() -> Sample:
        output.unlink(missing_ok=True)
        assert program is not None
        argv: list[str | Path] = [program, str(conditions.workers), output, *roots]
        sample = run(Command(argv, conditions.limit_s))
        check_lines(output, sum(one.files for one in trees))
        return sample

    return Contestant(peers.LIMIT, measure, missing)


def _xargs(
    conditions: Conditions, name: str, files: Tree, program: str, *, at_once: int = 500
) -> Contestant:
    def argv(workers: int, root: Path) -> list[str | Path]:
        script = f'find "$0" -type f -print0 | xargs -0 -P{workers} -n{at_once} {program}'
        return ["sh", "-c", script, root]

    return _peer(conditions, files, name, ["xargs", program], argv)


def _fd(_workers: int, root: Path) -> list[str | Path]:
    return [_found("fd"), "-uu", "--type", "f", ".", root, "-X", "sha256sum"]


def _hashdeep(workers: int, root: Path) -> list[str | Path]:
    return [_found("hashdeep"), "-c", "sha256", "-r", f"-j{workers}", root]


def _rclone(_workers: int, root: Path) -> list[str | Path]:
    return [_found("rclone"), "hashsum", "sha256", root]


def _parallel(workers: int, root: Path) -> list[str | Path]:
    script = f'find "$0" -type f -print0 | parallel -0 -j{workers} -n500 sha256sum'
    return ["sh", "-c", script, root]


def _found(name: str) -> str:
    return peers.tool(name) or name


def _peer(
    conditions: Conditions,
    files: Tree,
    name: str,
    tools: Sequence[str],
    argv: Callable[[int, Path], list[str | Path]],
    *,
    most_rounds: int | None = None,
) -> Contestant:
    """A command that writes a line a file on its standard output."""
    output = conditions.scratch / "out.peer"

    def measure() -> Sample:
        output.unlink(missing_ok=True)
        command = argv(conditions.workers, files.root)
        sample = run(Command(command, conditions.limit_s, output))
        check_lines(output, files.files)
        if name == "rclone":
            files.warm()  # it asks the kernel to forget what it has read
        return sample

    return Contestant(name, measure, peers.missing_tools(*tools), most_rounds)


def _steady_rate(two: Contestant, one: Contestant, files: int) -> Sample:
    """Files a second between one tree and two.

    Raises:
        CommandFailed: Both took as long, also when tried again: the machine is too busy to tell.
    """
    for _ in range(_MOST_TRIES):
        single_s, double_s = one.measure()["wall_s"], two.measure()["wall_s"]
        if double_s > single_s:
            return {"rate_per_s": files / (double_s - single_s)}
    message = "twice the files took no longer: too busy a machine, or too few files"
    raise CommandFailed(message)


def _measure_of(files: Tree) -> str:
    units = (("MiB", 1 << 20), ("KiB", 1 << 10), ("bytes", 1))
    unit, factor = next(one for one in units if files.size_bytes >= one[1])
    return f"{files.files:,} files of {files.size_bytes // factor} {unit}"
