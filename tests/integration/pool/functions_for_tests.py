"""Task functions that workers import by name."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import threading


def size(path: str) -> int:
    return os.path.getsize(path)


def square(number: int) -> int:
    return number * number


def wait(seconds: float) -> float:
    threading.Event().wait(seconds)
    return seconds


async def add_one(number: int) -> int:
    await asyncio.sleep(0.001)
    return number + 1


def fail_on_three(number: int) -> int:
    if number == 3:
        raise ValueError("three")
    return number


def refuse(item: object) -> None:
    raise ValueError(f"no {item}")


def segfault_on_zero(number: int) -> int:
    if number == 0:
        ctypes.string_at(0)
    return number


def die(_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def hang_holding_the_gil(number: int) -> int:
    if number == 0:
        ctypes.PyDLL(None).sleep(60)
    return number


def stop_on_zero(number: int) -> int:
    if number == 0:
        os.kill(os.getpid(), signal.SIGSTOP)
    return number


def stop_once(number: int) -> int:
    marker = os.environ.get("FSWORKERS_TEST_STOP")
    if marker is not None and not os.path.exists(marker):
        os.close(os.open(marker, os.O_CREAT))
        os.kill(os.getpid(), signal.SIGSTOP)
    return number


class Unpicklable(Exception):
    def __init__(self, a: int, b: int) -> None:
        super().__init__("can't be unpickled")


def raise_unpicklable(_: object) -> None:
    raise Unpicklable(1, 2)


_running = 0
_most = 0
_lock = threading.Lock()


def most_at_once(_: object) -> int:
    global _running, _most
    with _lock:
        _running += 1
        _most = max(_most, _running)
    threading.Event().wait(0.01)
    with _lock:
        _running -= 1
    return _most


async def most_coroutines_at_once(_: object) -> int:
    global _running, _most
    _running += 1
    _most = max(_most, _running)
    await asyncio.sleep(0.01)
    _running -= 1
    return _most


def hold_the_gil(seconds: float) -> float:
    ctypes.PyDLL(None).usleep(int(seconds * 1_000_000))
    return seconds
