"""Going on with a run that was killed, when nine tenths of it are recorded.

The state is made as a user would make it: a run is ended by SIGKILL. It is put aside, and put back
before each turn.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

from benchmarks.commands import TINY_BYTES
from benchmarks.figures import Bar, Line, Measured
from benchmarks.measure import CommandFailed, Contestant, check_lines, run
from benchmarks.peers import OURS
from benchmarks.trees import Tree, make_tree

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.conditions import Conditions
    from benchmarks.measure import Sample

_ENOUGH = 0.5
_LOOK_EVERY_S = 0.002


class Killed:
    """A run over a tree that was killed, to be gone on with as often as one likes.

    Args:
        conditions: Where and how.
        files: The tree.

    Attributes:
        recorded: How many files its journal has.
    """

    def __init__(self, conditions: Conditions, files: Tree) -> None:
        self._conditions = conditions
        self._files = files
        self._outputs = conditions.scratch / "resumed"
        self._aside = conditions.scratch / "killed"
        self._outputs.mkdir()
        self._output = self._outputs / "out.jsonl"
        self._aside.mkdir()
        self._process_command = conditions.fsworkers(
            "process", files.root, "-j", str(conditions.workers), "-o", self._output
        )
        self.recorded = self._make()

    def go_on(self) -> Sample:
        """``fsworkers resume``, from the state that the kill left."""
        self._swap(self._aside, self._conditions.scratch)
        sample = run(self._conditions.fsworkers("resume"))
        check_lines(self._output, self._files.files)
        return sample

    def _make(self) -> int:
        self._conditions.forget_runs()
        run(self._process_command)
        whole_bytes = _size_of(self._outputs)
        for share in (0.9, 0.85, 0.8, 0.75, 0.7):
            self._conditions.forget_runs()
            self._output.unlink()
            self._kill_at(share * whole_bytes)
            recorded = self._count_recorded()
            if _ENOUGH * self._files.files < recorded < self._files.files:
                self._swap(self._conditions.scratch, self._aside)
                return recorded
        message = "the run could not be killed in time: it was over, or had recorded too little"
        raise CommandFailed(message)

    def _kill_at(self, size_bytes: float) -> None:
        """Run until so much is written, and kill the command, not its workers."""
        command = self._process_command
        moment = threading.Event()
        deadline = monotonic() + command.limit_s
        with subprocess.Popen(
            list(command.argv),
            env={**os.environ, **command.environment},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                while process.poll() is None and _size_of(self._outputs) < size_bytes:
                    if monotonic() > deadline:
                        message = "the run to be killed wrote nothing in time"
                        raise CommandFailed(message)
                    moment.wait(_LOOK_EVERY_S)
            finally:
                process.kill()

    def _count_recorded(self) -> int:
        shown = self._conditions.scratch / "shown"
        run(self._conditions.fsworkers("show", "--json", output=shown))
        with open(shown, "rb") as lines:
            return sum(1 for _ in lines)

    def _swap(self, source: Path, target: Path) -> None:
        """Copy journal and output from one place to the other."""
        for name in (self._conditions.state.name, self._outputs.name):
            shutil.rmtree(target / name, ignore_errors=True)
            shutil.copytree(source / name, target / name)


def resume(conditions: Conditions) -> list[Line]:
    """What a recorded file costs, above a fresh run over what is left."""
    files = conditions.grove.tree(conditions.pick(full=1_000_000, short=100_000), TINY_BYTES)
    killed = Killed(conditions, files)
    left = Tree(conditions.scratch / "left", files.files - killed.recorded, TINY_BYTES)
    make_tree(left.root, left.files, left.size_bytes)
    fresh = f"{OURS}, fresh over the {left.files:,} that are left"

    def start_afresh() -> Sample:
        return conditions.process(left.root, output=conditions.scratch / "out.jsonl")

    race = conditions.race(
        [Contestant(OURS, killed.go_on), Contestant(fresh, start_afresh)], short=2
    )
    resumed, anew = race.measured(OURS, "wall_s"), race.measured(fresh, "wall_s")
    pairs = zip(resumed.values, anew.values, strict=False)
    above_s = [(whole - part) / killed.recorded for whole, part in pairs]
    what = f"resume with {killed.recorded:,} of {files.files:,} recorded"
    above = Measured(OURS, above_s, failed=resumed.failed or anew.failed)
    return [
        Line("resume", what, "s", resumed, [anew]),
        Line("resume", "above that, a recorded file", "s", above, bars=[Bar(3e-6)]),
    ]


def _size_of(folder: Path) -> int:
    """Bytes of the files in a folder, some of which may be going away."""
    found = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                found += entry.stat().st_size
    return found
