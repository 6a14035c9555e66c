"""Loads that open files: many at once, holding others, without closing them, dying of them."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import threading
from typing import TYPE_CHECKING

from fsworkers.stress.worker_context import Operation

if TYPE_CHECKING:
    from fsworkers.stress.worker_context import WorkerContext


async def read_in_loop_or_thread(context: WorkerContext, op: int) -> None:
    """Open, hold, read, check, close: a fifth of them in threads, all others in the event loop."""
    if op % 5 == 0:
        await asyncio.to_thread(read_and_hold, context, op)
    else:
        await read_in_loop(context, op)


async def read_in_loop(context: WorkerContext, op: int) -> None:
    """Open, hold, read, check, close, in the event loop."""
    with Operation(context, op) as operation:
        async with context.open_async(context.path(op), "rb") as file:
            operation.granted()
            await asyncio.sleep(context.hold_s(op))
            data = await file.read()
        operation.ended(is_right=context.is_right(op, data))


def read_and_hold(context: WorkerContext, op: int, hold_s: float = 0.003) -> None:
    """Open, hold, read, check, close, on this thread."""
    with Operation(context, op) as operation:
        with context.open(context.path(op), "rb") as file:
            operation.granted()
            threading.Event().wait(hold_s)
            data = file.read()
        operation.ended(is_right=context.is_right(op, data))


async def hold_and_wait(context: WorkerContext, op: int) -> None:
    """Open one file, hold it, open the next one, read both."""
    with Operation(context, op) as operation:
        async with context.open_async(context.path(op), "rb") as first:
            operation.granted()
            await asyncio.sleep(context.hold_s(op))
            async with context.open_async(context.path(op + 1), "rb") as second:
                is_right = context.is_right(op, await first.read())
                is_right &= context.is_right(op + 1, await second.read())
        operation.ended(is_right=is_right)


def leak(context: WorkerContext, op: int) -> None:
    """Open a file and let go of it without closing it, in a reference cycle."""
    with Operation(context, op) as operation:
        file = context.open(context.path(op), "rb")
        operation.granted()
        cycle: list[object] = [file]
        cycle.append(cycle)
        operation.ended(is_right=context.is_right(op, file.read()))


def read_or_die(context: WorkerContext, op: int) -> None:
    """Read a file, or die of it."""
    die_of_poison(context, op)
    read_and_hold(context, op, hold_s=0.0)


def die_of_poison(context: WorkerContext, op: int) -> None:
    """End this process as a crash in C code does, without leaving a core behind."""
    if op in context.poison:
        with Operation(context, op):
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            os.kill(os.getpid(), signal.SIGSEGV)
