"""What workers are started with, and the first of them ahead of everything.

The command line starts its first worker before it has read what it is asked for, and more as soon
as it seems that there will be work for them: while the master loads, so do they. A worker that is
not needed ends with its lifeline.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from fsworkers.pool.master.output import WorkerOutput
from fsworkers.pool.master.process import WorkerProcess
from fsworkers.pool.progress import ProgressPage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fsworkers.pool.master.output import PrintsTo


SURROUNDINGS_DESCRIPTORS = 5
"""A pipe for what workers print and its wakeup, the progress page and its map."""


class Surroundings:
    """What the workers of one pool have in common.

    Args:
        prints_to: Where what tasks print goes.

    Attributes:
        output: Where they print.
        page: Where they note what they have begun.
        spares: Workers that have been started and wait for their configuration.
    """

    def __init__(self, prints_to: PrintsTo) -> None:
        self.prints_to = prints_to
        self.output = WorkerOutput(prints_to)
        try:
            self.page = ProgressPage()
        except BaseException:
            self.output.close()
            raise
        self.spares: list[WorkerProcess] = []

    def start_worker(self, modules: Sequence[str] = ()) -> WorkerProcess:
        """Start a worker, which waits for its configuration.

        Raises:
            OSError: It could not be started.
        """
        output = self.output
        return WorkerProcess(output.stdout, output.stderr, self.page.descriptor, modules)

    def close(self) -> None:
        """Give everything back."""
        for spare in self.spares:
            spare.kill()
            spare.wait()
            spare.close()
        self.page.close()
        self.output.close()


class _Prepared:
    surroundings: Surroundings | None = None


def prespawn(modules: Sequence[str], count: int = 1) -> None:
    """Start workers for the pool that will come. What keeps them from starting will be met again.

    Args:
        modules: What they import while they wait for their configuration.
        count: How many there are to be in all.
    """
    with suppress(OSError):
        around = _Prepared.surroundings = _Prepared.surroundings or Surroundings("stderr")
        while len(around.spares) < count:
            around.spares.append(around.start_worker(modules))


def held_by_prepared() -> int:
    """How many descriptors are taken already of those that a pool holds beside its lanes."""
    return 0 if _Prepared.surroundings is None else SURROUNDINGS_DESCRIPTORS


def take_surroundings(prints_to: PrintsTo) -> Surroundings:
    """Those that were prepared for a command, if these print to stderr as it does; or new ones.

    Raises:
        OSError: No descriptor is free for them.
    """
    prepared = _Prepared.surroundings
    if prepared is None or prepared.prints_to != prints_to:
        discard()
        return Surroundings(prints_to)
    _Prepared.surroundings = None
    return prepared


def discard() -> None:
    """No pool will come."""
    prepared, _Prepared.surroundings = _Prepared.surroundings, None
    if prepared is not None:
        prepared.close()
