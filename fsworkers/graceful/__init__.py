"""The descriptor layer: file operations that wait for a free descriptor instead of failing.

    from fsworkers import graceful

    with graceful.open("file") as file:
        ...

Importing it patches nothing and costs little: what is not needed is not loaded.
"""

from __future__ import annotations

from fsworkers.graceful import errors
from fsworkers.graceful.budget.budget import BUDGET, Budget
from fsworkers.graceful.budget.permits import Permit
from fsworkers.graceful.budget.settings import configure, limits
from fsworkers.graceful.budget.snapshots import Limits, Statistics
from fsworkers.graceful.errors import (
    BudgetTimeout,
    BudgetTooSmall,
    DescriptorDeadlock,
    GracefulError,
    TooFewDescriptors,
)
from fsworkers.graceful.opening.open_file import open  # noqa: A004 - the drop-in's name is the builtin's

TYPE_CHECKING = False
if TYPE_CHECKING:
    # What ``__getattr__`` below loads when it is asked for.
    from fsworkers.graceful import aio, glob, mmap, os, shutil, socket, subprocess, tempfile
    from fsworkers.graceful.budget.reservation import reserve
    from fsworkers.graceful.os import scandir
    from fsworkers.graceful.patching.install import install, is_installed, uninstall

__all__ = [
    "BUDGET",
    "Budget",
    "BudgetTimeout",
    "BudgetTooSmall",
    "DescriptorDeadlock",
    "GracefulError",
    "Limits",
    "Permit",
    "Statistics",
    "TooFewDescriptors",
    "aio",
    "configure",
    "errors",
    "glob",
    "holders",
    "install",
    "is_installed",
    "limits",
    "mmap",
    "open",
    "os",
    "reserve",
    "scandir",
    "shutil",
    "socket",
    "statistics",
    "subprocess",
    "tempfile",
    "uninstall",
]

_FACES = frozenset({"aio", "glob", "mmap", "os", "shutil", "socket", "subprocess", "tempfile"})
_LAZY = {
    "install": "patching.install",
    "is_installed": "patching.install",
    "reserve": "budget.reservation",
    "scandir": "os",
    "uninstall": "patching.install",
}

holders = BUDGET.holders
statistics = BUDGET.statistics


def __getattr__(name: str) -> object:
    """Load a face, or what a table of names says, when it is first asked for."""
    if name not in _FACES and name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Without ``importlib``, which brings ``warnings`` along; any name asks for the module itself.
    module = __import__(f"{__name__}.{_LAZY.get(name, name)}", fromlist=["__name__"])
    return getattr(module, name) if name in _LAZY else module


def __dir__() -> list[str]:
    return sorted({*globals(), *_FACES, *_LAZY})
