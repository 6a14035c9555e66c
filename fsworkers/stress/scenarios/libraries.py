"""Loads that leave the opening to a library, below which ``install()`` stands."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import tempfile
import zipfile
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

from fsworkers.stress.worker_context import Operation
from fsworkers.stress.workspace import CHAIN_DEPTH, chain_of, names_of_chain

if TYPE_CHECKING:
    from collections.abc import Callable

    from fsworkers.stress.worker_context import WorkerContext


def walk(context: WorkerContext, op: int) -> None:
    """Walk down one deep chain; every other one with each directory held open for a moment."""
    top = chain_of(context.brief.folder, op)
    with Operation(context, op) as operation:
        paths: list[str] = []
        if op % 2:  # os.walk hides that a directory was refused
            for folder, _, names in context.walk(top):
                paths += [os.path.join(folder, name) for name in names]
        else:
            for level in range(CHAIN_DEPTH):
                with context.scandir(os.path.join(top, *["d"] * level)) as entries:
                    if level == 0:
                        operation.granted()
                    context.pause(op + level, factor=3)
                    paths += [one.path for one in entries if one.is_file()]
        found = {os.path.relpath(path, top) for path in paths}
        operation.ended(is_right=found == names_of_chain())


def use(context: WorkerContext, op: int) -> None:
    """Let one of the libraries do something with the operation's file, by turns."""
    with Operation(context, op) as operation:
        uses = _uses()
        scratch = f"{context.brief.folder}/{os.getpid()}-{op}"
        operation.ended(is_right=uses[op % len(uses)](context, op, scratch))
        if os.path.exists(scratch):
            os.unlink(scratch)


@cache
def _uses() -> tuple[Callable[[WorkerContext, int, str], bool], ...]:
    return (_zip, _csv, _run, _temporary, *((_picture,) if find_spec("PIL") else ()))


def _data(context: WorkerContext, op: int) -> bytes:
    with open(context.path(op), "rb") as file:
        return file.read()


def _zip(context: WorkerContext, op: int, scratch: str) -> bool:
    with zipfile.ZipFile(scratch, "w") as archive:
        archive.write(context.path(op), "member")
        context.pause(op, factor=20)
    with zipfile.ZipFile(scratch) as archive:
        data = archive.read("member")
        context.pause(op, factor=20)
    return context.is_right(op, data)


def _csv(context: WorkerContext, op: int, scratch: str) -> bool:
    data = _data(context, op)
    with open(scratch, "w", newline="") as file:
        csv.writer(file).writerows([number, byte] for number, byte in enumerate(data[:200]))
    with open(scratch, newline="") as file:
        context.pause(op, factor=20)
        read = bytes(int(byte) for _, byte in csv.reader(file))
    return read == data[:200] and context.is_right(op, data)


def _run(context: WorkerContext, op: int, _: str) -> bool:
    done = subprocess.run(["/bin/cat", context.path(op)], stdout=subprocess.PIPE, check=True)
    return context.is_right(op, done.stdout)


def _temporary(context: WorkerContext, op: int, _: str) -> bool:
    with tempfile.TemporaryDirectory(dir=context.brief.folder) as folder:
        copy = shutil.copyfile(context.path(op), f"{folder}/copy")
        with tempfile.NamedTemporaryFile(dir=folder) as temporary, open(copy, "rb") as file:
            temporary.write(file.read())
            context.pause(op, factor=20)
            temporary.seek(0)
            return context.is_right(op, temporary.read())


def _picture(context: WorkerContext, op: int, scratch: str) -> bool:
    from PIL import Image  # noqa: PLC0415  (only where it is installed)

    data = _data(context, op)
    pixels = data[: len(data) // 8 * 8]
    Image.frombytes("L", (8, len(pixels) // 8), pixels).save(scratch, "png")
    with Image.open(scratch) as picture:
        context.pause(op, factor=20)
        return picture.tobytes() == pixels and context.is_right(op, data)
