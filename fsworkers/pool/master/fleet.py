"""The worker processes of a pool: started, connected, watched, reaped.

Decides nothing: which are started and killed is the dispatcher's word, and what a death means too.
"""

from __future__ import annotations

import errno
import os
import sys
from time import monotonic
from typing import TYPE_CHECKING

from zmq import ZMQError

from fsworkers.broken import WorkerStartError
from fsworkers.errors import FsworkersError
from fsworkers.pool import wire
from fsworkers.pool.authkey import own_authkey
from fsworkers.pool.master.links import START_DESCRIPTORS, has_free_descriptors

if TYPE_CHECKING:
    from selectors import BaseSelector

    from fsworkers.pool.blocks import Begun
    from fsworkers.pool.master.links import Links
    from fsworkers.pool.master.prespawn import Surroundings
    from fsworkers.pool.master.process import WorkerProcess
    from fsworkers.pool.settings import PoolSettings

FLUSH_S = 0.05
HEARTBEAT_S = 0.5
RETRY_START_S = 0.05

LATE_REPORTS_S = 0.5
"""How long the link to an ended worker stays: its last reports lie in the kernel already."""

_SHORTAGES = {errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM}


class Fleet:
    """The worker processes by their lane's number.

    Args:
        settings: The pool's settings.
        links: The sockets.
        surroundings: Where workers print, what they note their progress on, and perhaps one that
            was started ahead of everything.
        selector: Told of each process that is to be watched; its key's data is the lane's number.
        initializer: What each calls before its first job, pickled.
    """

    def __init__(
        self,
        settings: PoolSettings,
        links: Links,
        surroundings: Surroundings,
        selector: BaseSelector,
        initializer: bytes,
    ) -> None:
        self._settings = settings
        self._links = links
        self._surroundings = surroundings
        self._selector = selector
        self._initializer = initializer
        self._workers: dict[int, WorkerProcess] = {}
        self._lines: dict[int, int] = {}
        self._waiting: list[tuple[float, int]] = []
        self._ended: list[tuple[float, int]] = []
        self._heartbeat_s = HEARTBEAT_S
        if settings.timeout is not None:
            self._heartbeat_s = min(HEARTBEAT_S, max(0.01, settings.timeout / 8))

    def __len__(self) -> int:
        return len(self._workers)

    def numbers(self) -> list[int]:
        """The lanes that have a process."""
        return list(self._workers)

    def next_time(self) -> float | None:
        """When there is something to do here."""
        times = [at for at, _ in (*self._waiting, *self._ended)]
        return min(times, default=None)

    def start(self, number: int) -> bool:
        """Start a worker; ``False`` if no descriptor is free for it, and it is tried again later.

        Raises:
            FsworkersError: None can be started at all.
        """
        if not has_free_descriptors(START_DESCRIPTORS):
            self._waiting.append((monotonic() + RETRY_START_S, number))
            return False
        around = self._surroundings
        try:
            worker = around.spares.pop(0) if around.spares else around.start_worker()
            self._workers[number] = worker
            self._lines[number] = around.page.take_line()
            self._selector.register(worker.fileno(), 1, number)
            worker.configure(self._config(number))
            self._links.make_socket_directory(number)
            worker.let_go_on()
            self._links.connect(number)
        except (OSError, ZMQError) as error:
            if error.errno not in _SHORTAGES:
                raise (
                    error if isinstance(error, FsworkersError) else unstartable(error)
                ) from error
            if number in self._workers:
                self._workers[number].kill()  # its end is noticed like any other
                return True
            self._links.disconnect(number)
            self._waiting.append((monotonic() + RETRY_START_S, number))
            return False
        return True

    def _config(self, number: int) -> wire.Config:
        return wire.Config(
            worker=number,
            directory=self._links.socket_directory(number),
            secret=self._links.secret,
            sys_path=list(sys.path),
            pythonpath=os.environ.get("PYTHONPATH"),
            max_open_files=self._settings.max_open_files,
            flush_s=FLUSH_S,
            heartbeat_s=self._heartbeat_s,
            page_line=self._lines[number],
            wants_memory=self._settings.max_rss_bytes is not None,
            wants_install=self._settings.install,
            initializer=self._initializer,
            authkey=own_authkey(),
            nice=self._settings.nice,
        )

    def due(self) -> list[int]:
        """Those whose start is to be tried again now; lets go of what has ended long ago."""
        if not (self._waiting or self._ended):
            return []
        now = monotonic()
        for _, number in [entry for entry in self._ended if entry[0] <= now]:
            self._links.disconnect(number)
        self._ended = [entry for entry in self._ended if entry[0] > now]
        due = [number for at, number in self._waiting if at <= now]
        self._waiting = [entry for entry in self._waiting if entry[0] > now]
        return due

    def kill(self, number: int) -> bool:
        """Kill a worker, whose end is noticed then; ``False`` if it had not been started yet."""
        worker = self._workers.get(number)
        if worker is not None:
            self._links.remove_socket_directory(number)
            worker.kill()
            return True
        self._waiting = [entry for entry in self._waiting if entry[1] != number]
        return False

    def is_stopped(self, number: int) -> bool:
        """Whether it stands still because of a signal."""
        worker = self._workers.get(number)
        return worker is not None and worker.is_stopped()

    def end(self, number: int) -> WorkerProcess | None:
        """A worker's lifeline is closed: end what its tasks had started, and wait for it."""
        worker = self._workers.pop(number, None)
        if worker is not None:
            self._selector.unregister(worker.fileno())
            worker.kill()
            worker.wait()
        return worker

    def forget(self, number: int, worker: WorkerProcess) -> tuple[str, Begun | None]:
        """Let go of an ended worker: how it ended, and what it had begun last."""
        line = self._lines.pop(number)
        begun = self._surroundings.page.read(line)
        self._surroundings.page.give_back(line)
        cause = worker.cause_of_death()
        worker.close()
        self._links.close_lane(number)
        self._ended.append((monotonic() + LATE_REPORTS_S, number))
        return cause, begun

    def close(self) -> None:
        """Kill all of them at once, and wait for them."""
        for number, worker in self._workers.items():
            self._links.remove_socket_directory(number)
            worker.kill()
        for worker in self._workers.values():
            worker.wait()
            worker.close()
        self._workers.clear()


def unstartable(error: OSError | ZMQError) -> WorkerStartError:
    """The error of a pool in whose surroundings no worker can be started."""
    return WorkerStartError(f"a worker can't be started: {error}", "")
