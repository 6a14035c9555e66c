"""Whole commands measured, and contestants that take turns.

A contestant is anything that can be measured once, and gives named figures. They take turns,
A B C A B C …, so that each round sees them all on the same machine: its speed drifts. Who fails is
out of the race from then on, with the reason; nobody else is touched.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from benchmarks.figures import Measured

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Sample: TypeAlias = "Mapping[str, float]"
"""Named figures of one measurement; of a command ``wall_s``, ``cpu_s`` and ``max_rss_bytes``."""

_LAUNCHER = Path(__file__).with_name("launch.py")
_TOLD_CHARACTERS = 300


class CommandFailed(Exception):
    """A command ended badly, took too long, or did not do what it should."""


@dataclass(frozen=True)
class Command:
    """A command to be measured.

    Attributes:
        argv: What to run; no shell.
        limit_s: When it is killed, with all that it started.
        output: The file for its standard output; thrown away without one.
        environment: Variables to set beside those that there are.
        folder: Where to run it.
        prepare: What is done before, unmeasured.
    """

    argv: Sequence[str | Path]
    limit_s: float
    output: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    prepare: Callable[[], None] | None = None


@dataclass(frozen=True)
class Contestant:
    """Who takes part in a race.

    Attributes:
        name: Who it is.
        measure: One turn.
        missing: Why it can't take part; it is reported, and not measured.
        most_rounds: In how many rounds it takes part; in all by default. For slow ones.
    """

    name: str
    measure: Callable[[], Sample]
    missing: str | None = None
    most_rounds: int | None = None


@dataclass(frozen=True)
class Race:
    """What came of a race: a sample a round for each who went through, a reason for each other."""

    samples: dict[str, list[Sample]]
    missing: dict[str, str]
    failed: dict[str, str]

    def measured(self, name: str, key: str, *, is_limit: bool = False) -> Measured:
        """One contestant's figures of one kind."""
        samples = self.samples.get(name, [])

        def column(wanted: str) -> list[float]:
            return [sample[wanted] for sample in samples if wanted in sample]

        return Measured(
            name,
            values=column(key),
            cpu_s=column("cpu_s") if key == "wall_s" else [],
            max_rss_bytes=column("max_rss_bytes") if key == "wall_s" else [],
            missing=self.missing.get(name),
            failed=self.failed.get(name),
            is_limit=is_limit,
        )


def run(command: Command) -> Sample:
    """Run a command once.

    Raises:
        CommandFailed: It ended with another code than 0, or took longer than its limit.
    """
    if command.prepare is not None:
        command.prepare()
    with tempfile.TemporaryDirectory() as folder:
        report, errors = Path(folder, "report"), Path(folder, "errors")
        argv: list[str | Path] = [sys.executable, "-I", "-S", _LAUNCHER, report]
        launcher = subprocess.Popen(
            [*argv, command.output or os.devnull, errors, *command.argv],
            env={**os.environ, **command.environment},
            cwd=command.folder,
            stderr=subprocess.PIPE,
            process_group=0,
        )
        try:
            _, complaint = launcher.communicate(timeout=command.limit_s)
        except subprocess.TimeoutExpired:
            message = f"not ended after {command.limit_s:g} s"
            raise CommandFailed(message) from None
        finally:
            if launcher.poll() is None:
                os.killpg(launcher.pid, signal.SIGKILL)
                launcher.communicate()
        if launcher.returncode:
            raise CommandFailed(_last_line(complaint))
        status, wall_s, cpu_s, max_rss_bytes = report.read_text().split()
        if code := os.waitstatus_to_exitcode(int(status)):
            message = f"exit code {code}: {_last_line(errors.read_bytes())}"
            raise CommandFailed(message)
    return {
        "wall_s": float(wall_s),
        "cpu_s": float(cpu_s),
        "max_rss_bytes": float(max_rss_bytes),
    }


def take_turns(
    contestants: Sequence[Contestant], rounds: int, say: Callable[[str], None] | None = None
) -> Race:
    """Let them take turns for so many rounds."""
    samples: dict[str, list[Sample]] = {}
    missing = {one.name: one.missing for one in contestants if one.missing}
    failed: dict[str, str] = {}
    for number in range(rounds):
        for one in contestants:
            is_out = one.name in missing or one.name in failed
            if is_out or number >= (one.most_rounds or rounds):
                continue
            if say is not None:
                say(f"round {number + 1} of {rounds}: {one.name}")
            try:
                samples.setdefault(one.name, []).append(one.measure())
            except (CommandFailed, OSError) as error:
                failed[one.name] = str(error)
                del samples[one.name]
    return Race(samples, missing, failed)


def check_lines(path: Path, least: int) -> None:
    """See that a file has at least so many lines.

    Raises:
        CommandFailed: It has fewer.
    """
    found = 0
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            found += chunk.count(b"\n")
    if found < least:
        message = f"{found:,} lines of output instead of {least:,}"
        raise CommandFailed(message)


def _last_line(text: bytes) -> str:
    lines = text.decode(errors="replace").strip().splitlines()
    return lines[-1][:_TOLD_CHARACTERS] if lines else "without a word"
