"""What workers are started with, and the first of them ahead of everything.

The command line starts its first worker before it has read what it is asked for: while that loads,
so does this. A worker that is not needed ends with its lifeline.
"""

from __future__ import annotations

from fsworkers.pool.master.output import WorkerOutput
from fsworkers.pool.master.process import WorkerProcess
from fsworkers.pool.progress import ProgressPage


class Surroundings:
    """What the workers of one pool have in common.

    Attributes:
        output: Where they print.
        page: Where they note what they have begun.
        spare: A worker that has been started and waits for its configuration.
    """

    def __init__(self) -> None:
        self.output = WorkerOutput()
        try:
            self.page = ProgressPage()
        except BaseException:
            self.output.close()
            raise
        self.spare: WorkerProcess | None = None

    def close(self) -> None:
        """Give everything back."""
        if self.spare is not None:
            self.spare.kill()
            self.spare.wait()
            self.spare.close()
        self.page.close()
        self.output.close()


class _Prepared:
    surroundings: Surroundings | None = None


def prespawn() -> None:
    """Start a worker for the pool that will come. What keeps it from starting will be met again."""
    try:
        surroundings = Surroundings()
    except OSError:
        return
    try:
        surroundings.spare = WorkerProcess(
            surroundings.output.write_end, surroundings.page.descriptor
        )
    except OSError:
        surroundings.close()
        return
    _Prepared.surroundings = surroundings


def take_surroundings() -> Surroundings:
    """Those that were prepared, or new ones.

    Raises:
        OSError: No descriptor is free for them.
    """
    prepared, _Prepared.surroundings = _Prepared.surroundings, None
    return prepared or Surroundings()


def discard() -> None:
    """No pool will come."""
    prepared, _Prepared.surroundings = _Prepared.surroundings, None
    if prepared is not None:
        prepared.close()
