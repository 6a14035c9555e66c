"""Under which conditions everything is measured: sizes, rounds, places, and the command itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import fsworkers
from benchmarks.measure import Command, run, take_turns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.measure import Contestant, Race, Sample
    from benchmarks.trees import Grove

ROOT = Path(__file__).parents[1]
"""The folder that this package is in; modules of it are run there."""


@dataclass(frozen=True)
class Conditions:
    """What the benchmarks are told.

    Attributes:
        is_full: Whether sizes and rounds are those that the bars speak of, or smaller ones.
        workers: Processes of every contestant.
        grove: Where trees come from.
        scratch: A folder for outputs and state, empty at first.
        programs: A folder for what is compiled.
        rounds: How many rounds, if somebody said so.
        say: Tells how far it is.
    """

    is_full: bool
    workers: int
    grove: Grove
    scratch: Path
    programs: Path
    rounds: int | None = None
    say: Callable[[str], None] = field(default=lambda _: None)

    def pick(self, *, full: int, short: int) -> int:
        """A size, by the form that was asked for."""
        return full if self.is_full else short

    def race(self, contestants: Sequence[Contestant], *, full: int = 5, short: int = 3) -> Race:
        """Let contestants take turns for so many rounds, unless told how many."""
        rounds = self.pick(full=full, short=short) if self.rounds is None else self.rounds
        return take_turns(contestants, rounds, self.say)

    @property
    def limit_s(self) -> float:
        """When a command has taken too long."""
        return 900 if self.is_full else 60

    @property
    def state(self) -> Path:
        """Where our journals go: below ``XDG_STATE_HOME``, away from the user's own."""
        return self.scratch / "state"

    def forget_runs(self) -> None:
        """Throw our journals away, so that a run finds none."""
        shutil.rmtree(self.state, ignore_errors=True)

    def fsworkers(self, *arguments: str | Path, output: Path | None = None) -> Command:
        """Our command, with journals of its own; ``output`` is its standard output."""
        return Command(
            [*self._program, *arguments],
            limit_s=self.limit_s,
            output=output,
            environment={**self.environment, "XDG_STATE_HOME": str(self.state)},
        )

    def process(self, *arguments: str | Path, output: Path) -> Sample:
        """``fsworkers process … -o OUTPUT`` with no earlier journal or output in its way."""
        self.forget_runs()
        output.unlink(missing_ok=True)
        return run(self.fsworkers("process", *arguments, "-j", str(self.workers), "-o", output))

    def python(self, *arguments: str, output: Path | None = None) -> Command:
        """A module of this package, or a line of Python, in a process of its own."""
        return Command(
            [sys.executable, *arguments],
            limit_s=self.limit_s,
            output=output,
            environment=self.environment,
            folder=ROOT,
        )

    @cached_property
    def environment(self) -> dict[str, str]:
        """What makes the command run the very package that is imported here.

        With bytecode, whatever is set here: a package that was installed has it.
        """
        bytecode = {"PYTHONDONTWRITEBYTECODE": ""}
        home = Path(fsworkers.__file__).parents[1]
        found = subprocess.run(
            [sys.executable, "-c", "import fsworkers; print(fsworkers.__file__)"],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.scratch,
        ).stdout.strip()
        if found == fsworkers.__file__:
            return bytecode
        others = os.environ.get("PYTHONPATH")
        return bytecode | {"PYTHONPATH": f"{home}{os.pathsep}{others}" if others else str(home)}

    @cached_property
    def _program(self) -> list[str]:
        script = shutil.which("fsworkers", path=str(Path(sys.executable).parent))
        return [script] if script else [sys.executable, "-m", "fsworkers"]
