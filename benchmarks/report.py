"""All that was measured in one go as one record, for ``--json`` and back."""

from __future__ import annotations

import os
import platform
import re
from datetime import UTC, datetime
from pathlib import Path

import msgspec

import fsworkers
from benchmarks import peers
from benchmarks.figures import Line  # noqa: TC001  (msgspec reads the annotations)


class Machine(msgspec.Struct, frozen=True):
    """Where it was measured."""

    processor: str
    cores: int
    system: str
    python: str


class Report(msgspec.Struct, frozen=True):
    """All that was measured at one time.

    Attributes:
        version: Of fsworkers.
        measured: When, in UTC, ISO 8601.
        is_full: Sizes and rounds were those that the bars speak of.
        workers: Processes of every contestant.
        machine: Where.
        peers: Versions of the peers; ``None`` for one that was missing.
        seconds: How long each benchmark took, all in all.
        lines: The figures.
        problems: For each benchmark that could not be measured, why.
    """

    version: str
    measured: str
    is_full: bool
    workers: int
    machine: Machine
    peers: dict[str, str | None]
    seconds: dict[str, float] = {}
    lines: list[Line] = []
    problems: dict[str, str] = {}

    @property
    def has_failed(self) -> bool:
        """Whether a command of ours has failed anywhere, also one that ours is compared with."""
        everybody = (one for line in self.lines for one in (line.ours, *line.peers))
        ours = (one for one in everybody if one.name.startswith(peers.OURS))
        return bool(self.problems) or any(one.failed for one in ours)


def empty_report(*, is_full: bool, workers: int) -> Report:
    """The record of what will be measured here and now."""
    return Report(
        version=fsworkers.__version__,
        measured=datetime.now(UTC).isoformat(timespec="seconds"),
        is_full=is_full,
        workers=workers,
        machine=Machine(
            processor=_processor(),
            cores=os.cpu_count() or 1,
            system=f"{platform.system()} {platform.release()}",
            python=f"{platform.python_implementation()} {platform.python_version()}",
        ),
        peers=peers.versions(),
    )


def write_report(report: Report, path: Path) -> None:
    """Write it as JSON."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")


def read_report(path: Path) -> Report:
    """Read what ``write_report`` wrote.

    Raises:
        msgspec.DecodeError: It is something else.
    """
    return msgspec.json.decode(path.read_bytes(), type=Report)


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found.group(1) if found else platform.processor() or platform.machine()
