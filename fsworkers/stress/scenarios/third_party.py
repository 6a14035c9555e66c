"""Libraries that know nothing of us: zipfile, csv, subprocess, tempfile, Pillow if it is there."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import tempfile
import zipfile
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeAlias

from fsworkers.stress.scenarios.scenario import Job, Scenario

if TYPE_CHECKING:
    from collections.abc import Callable

    from fsworkers.stress.records import Plan
    from fsworkers.stress.station import Station

    Use: TypeAlias = Callable[[Station, int], bool]

MOST_OPS = 400
MOST_AT_ONCE = 100
HOLD_FACTOR = 20
"""Archives and pictures are held open longer than plain files: something is done with them."""


class ThirdParty(Scenario):
    """The standard library and Pillow at work in many threads, made graceful by ``install``."""

    name = "third-party"
    is_threaded = True
    proves = "code that never heard of the layer waits its turn too, through install()"

    def ops(self, plan: Plan) -> int:
        """A bounded number: a fifth of them start a process."""
        return min(plan.files, MOST_OPS)

    def ops_per_job(self, plan: Plan) -> int:
        """One: libraries hold a file and open another, so one may be turned away and run again."""
        return 1

    def slots(self, plan: Plan) -> int:
        """As many threads at once."""
        return min(plan.concurrency, MOST_AT_ONCE)

    def batch_ops(self, plan: Plan) -> int:
        """As many for the ordinary side."""
        return self.slots(plan)

    def run(self, station: Station, job: Job) -> None:
        """Let a library do something."""
        use_library(station, job[1])


def use_library(station: Station, op: int) -> None:
    """Let one of the libraries do something with the operation's file, by turns.

    Raises:
        Exception: Whatever the library raises.
    """
    station.board.asked(op)
    uses = _uses()
    try:
        is_right = uses[op % len(uses)](station, op)
        station.board.ended(op, is_right=is_right)
    except Exception as error:
        station.failed(op, error)
        raise


@cache
def _uses() -> tuple[Use, ...]:
    return (_zip, _csv, _run, _temporary, *((_picture,) if find_spec("PIL") else ()))


def _scratch(station: Station, op: int, suffix: str) -> str:
    return os.path.join(station.brief.scratch, f"{os.getpid()}-{op}{suffix}")


def _zip(station: Station, op: int) -> bool:
    path = _scratch(station, op, ".zip")
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(station.path(op), "member")
        station.pause(op, factor=HOLD_FACTOR)
    with zipfile.ZipFile(path) as archive:
        data = archive.read("member")
        station.pause(op, factor=HOLD_FACTOR)
    os.unlink(path)
    return station.is_right(op, data)


def _csv(station: Station, op: int) -> bool:
    path = _scratch(station, op, ".csv")
    with open(station.path(op), "rb") as file:
        data = file.read()
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([number, byte] for number, byte in enumerate(data[:200]))
    with open(path, newline="") as file:
        station.pause(op, factor=HOLD_FACTOR)
        read = bytes(int(byte) for _, byte in csv.reader(file))
    os.unlink(path)
    return read == data[:200] and station.is_right(op, data)


def _run(station: Station, op: int) -> bool:
    cat = shutil.which("cat") or "/bin/cat"
    done = subprocess.run([cat, station.path(op)], stdout=subprocess.PIPE, check=True)
    return station.is_right(op, done.stdout)


def _temporary(station: Station, op: int) -> bool:
    with tempfile.TemporaryDirectory(dir=station.brief.scratch) as folder:
        copy = os.path.join(folder, "copy")
        shutil.copyfile(station.path(op), copy)
        with tempfile.NamedTemporaryFile(dir=folder) as temporary:
            with open(copy, "rb") as file:
                temporary.write(file.read())
            station.pause(op, factor=HOLD_FACTOR)
            temporary.seek(0)
            return station.is_right(op, temporary.read())


def _picture(station: Station, op: int) -> bool:
    from PIL import Image  # noqa: PLC0415  (only where it is installed)

    path = _scratch(station, op, ".png")
    with open(station.path(op), "rb") as file:
        data = file.read()
    pixels = data[: len(data) // 8 * 8]
    Image.frombytes("L", (8, len(pixels) // 8), pixels).save(path)
    with Image.open(path) as picture:
        station.pause(op, factor=HOLD_FACTOR)
        read = picture.tobytes()
    os.unlink(path)
    return read == pixels and station.is_right(op, data)
