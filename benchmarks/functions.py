"""What the pools are given to do: the same for everyone."""

from __future__ import annotations

import hashlib
import time


def nothing(path: str) -> None:
    """A job of no work."""


def digest(path: str) -> str:
    """A job of some work: sha256 of a small file."""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def nap(seconds: float) -> float:
    """A job that waits; returns how long it really was, which is a little more than asked for."""
    began = time.perf_counter()
    time.sleep(seconds)  # noqa: TID251  (the work itself)
    return time.perf_counter() - began


NAMED = {"nothing": nothing, "digest": digest}
