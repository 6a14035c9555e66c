"""Measure fsworkers beside its peers: ``python -m benchmarks``.

Everything that is installed takes turns in one run, A B C A B C …, for several rounds; printed are
medians, spreads, and ratios taken pair by pair within a round. Without --full, trees are smaller
and rounds fewer: it ends within two minutes on two cores, and shows the way rather than the figure.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import msgspec

from benchmarks import peers, tables
from benchmarks.catalogue import BENCHMARKS
from benchmarks.chart import chart
from benchmarks.conditions import Conditions
from benchmarks.report import empty_report, read_report, write_report
from benchmarks.trees import Grove

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.catalogue import Benchmark
    from benchmarks.report import Report


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for.

    Returns:
        1 if one of our own commands failed, 130 if it was interrupted; a bar that is missed is a
        figure, and no failure.
    """
    asked = _parser().parse_args(arguments)
    if asked.list:
        _list()
        return 0
    if asked.read is not None:
        try:
            report, is_interrupted = read_report(asked.read), False
        except (OSError, msgspec.DecodeError) as error:
            sys.exit(f"{asked.read}: {error}")
        for line in report.lines:
            print(tables.details(line), end="\n\n")
    else:
        report, is_interrupted = _measure(asked)
    print(tables.conditions(report), tables.summary(report), sep="\n\n")
    if asked.json is not None:
        write_report(report, asked.json)
    if asked.chart is not None:
        asked.chart.write_text(chart(report))
    return 130 if is_interrupted else int(report.has_failed)


def _measure(asked: argparse.Namespace) -> tuple[Report, bool]:
    """Run the benchmarks, and print each one's lines as soon as they are there.

    Returns:
        What was measured, and whether it ended before its time.
    """
    report = empty_report(is_full=asked.full, workers=asked.workers)
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as base:
        grove = Grove(asked.trees or Path(base, "trees"))
        try:
            for benchmark in BENCHMARKS:
                if not asked.only or benchmark.name in asked.only:
                    scratch = Path(base, benchmark.name)
                    scratch.mkdir()
                    _measure_one(
                        benchmark,
                        Conditions(
                            is_full=asked.full,
                            workers=asked.workers,
                            grove=grove,
                            scratch=scratch,
                            programs=Path(base),
                            rounds=asked.rounds,
                            say=partial(_say, benchmark.name),
                        ),
                        report,
                    )
                    shutil.rmtree(scratch, ignore_errors=True)
        except KeyboardInterrupt:
            return report, True
    return report, False


def _measure_one(benchmark: Benchmark, conditions: Conditions, report: Report) -> None:
    """Add a benchmark's lines to the report, or why there are none."""
    began = perf_counter()
    _say(benchmark.name, "begins")
    try:
        lines = benchmark.measure(conditions)
    except Exception as error:  # noqa: BLE001  (the others are measured all the same)
        report.problems[benchmark.name] = why = f"{type(error).__name__}: {error}"
        texts = [f"{benchmark.name} failed: {why}"]
    else:
        report.lines.extend(lines)
        texts = [tables.details(line) for line in lines]
    report.seconds[benchmark.name] = round(perf_counter() - began, 1)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)
    print(*texts, sep="\n\n", end="\n\n", flush=True)


def _say(name: str, text: str) -> None:
    """Tell on a terminal what is going on, in one line that is written over."""
    if sys.stderr.isatty():
        print(f"\r\033[K{name}: {text}", end="", file=sys.stderr, flush=True)


def _list() -> None:
    for one in BENCHMARKS:
        print(f"{one.name:14}{one.description}\n{'':14}bar: {one.bar}")
    print()
    for name, version in peers.versions().items():
        print(f"{name:14}{version or 'missing'}")
    with tempfile.TemporaryDirectory() as folder:
        _, missing = peers.compile_limit(Path(folder))
    print(f"{peers.LIMIT:14}{f'missing: {missing}' if missing else 'compiles'}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [one.name for one in BENCHMARKS]
    parser.add_argument("--full", action="store_true", help="full size, and more rounds")
    parser.add_argument(
        "--only", nargs="+", choices=names, metavar="NAME", help="only these benchmarks"
    )
    parser.add_argument("--list", action="store_true", help="show what there is, and which peers")
    parser.add_argument("--rounds", type=_positive, metavar="N", help="so many rounds of each")
    parser.add_argument(
        "--workers", type=_positive, default=2, metavar="N", help="processes of each (default: 2)"
    )
    parser.add_argument(
        "--trees",
        type=Path,
        metavar="DIR",
        help="keep the generated trees here, for later runs (8 GB with --full)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    parser.add_argument("--read", type=Path, metavar="FILE", help="show what --json wrote")
    parser.add_argument("--chart", type=Path, metavar="FILE.svg", help="draw whole-tree figures")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        message = "at least 1"
        raise argparse.ArgumentTypeError(message)
    return number


if __name__ == "__main__":
    sys.exit(main())
