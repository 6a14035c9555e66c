"""fsworkers: run a function over every file of a tree, without running out of descriptors.

The public names, nothing else. They are loaded when they are first used, so that a worker, or
someone who only wants ``fsworkers.graceful``, need not wait for the rest.
"""

from __future__ import annotations

TYPE_CHECKING = False  # of ``typing``, which someone who only wants the layer need not load
if TYPE_CHECKING:
    from fsworkers import graceful
    from fsworkers.engines.observers import (
        BlockDetails,
        LoggingObserver,
        Observer,
        ProgressBar,
        PrometheusTextfile,
        RunDetails,
        WorkerDetails,
    )
    from fsworkers.engines.process_tree import open_tree, process_tree
    from fsworkers.errors import CommandFailed, FsworkersError, RetryLater, Skip
    from fsworkers.model import DescriptorUse, Outcome, RunSummary
    from fsworkers.pool.executor import Pool
    from fsworkers.pool.room import Room
    from fsworkers.scan.options import ScanOptions
    from fsworkers.tasks.command import BatchCommand, Command
    from fsworkers.tasks.task import Column, Preparation, Reducer, Task

__version__ = "0.1.0"

__all__ = [
    "BatchCommand",
    "BlockDetails",
    "Column",
    "Command",
    "CommandFailed",
    "DescriptorUse",
    "FsworkersError",
    "LoggingObserver",
    "Observer",
    "Outcome",
    "Pool",
    "Preparation",
    "ProgressBar",
    "PrometheusTextfile",
    "Reducer",
    "RetryLater",
    "Room",
    "RunDetails",
    "RunSummary",
    "ScanOptions",
    "Skip",
    "Task",
    "WorkerDetails",
    "graceful",
    "open_tree",
    "process_tree",
]

_HOMES = {
    "BatchCommand": "fsworkers.tasks.command",
    "BlockDetails": "fsworkers.engines.observers",
    "Column": "fsworkers.tasks.task",
    "Command": "fsworkers.tasks.command",
    "CommandFailed": "fsworkers.errors",
    "DescriptorUse": "fsworkers.model",
    "FsworkersError": "fsworkers.errors",
    "LoggingObserver": "fsworkers.engines.observers",
    "Observer": "fsworkers.engines.observers",
    "Outcome": "fsworkers.model",
    "Pool": "fsworkers.pool.executor",
    "Preparation": "fsworkers.tasks.task",
    "ProgressBar": "fsworkers.engines.observers",
    "PrometheusTextfile": "fsworkers.engines.observers",
    "Reducer": "fsworkers.tasks.task",
    "RetryLater": "fsworkers.errors",
    "Room": "fsworkers.pool.room",
    "RunDetails": "fsworkers.engines.observers",
    "RunSummary": "fsworkers.model",
    "ScanOptions": "fsworkers.scan.options",
    "Skip": "fsworkers.errors",
    "Task": "fsworkers.tasks.task",
    "WorkerDetails": "fsworkers.engines.observers",
    "open_tree": "fsworkers.engines.process_tree",
    "process_tree": "fsworkers.engines.process_tree",
}


def __getattr__(name: str) -> object:
    """Load a public name (PEP 562)."""
    from importlib import import_module  # noqa: PLC0415

    if name == "graceful":
        return import_module("fsworkers.graceful")
    home = _HOMES.get(name)
    if home is None:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
