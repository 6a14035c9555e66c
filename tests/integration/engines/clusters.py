"""A Dask cluster on loopback for tests: a scheduler and workers, as their commands start them."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

import psutil

if TYPE_CHECKING:
    from distributed import Client

LONGEST_S = 30.0


class Cluster:
    """A scheduler with workers, which is ended as a whole.

    Args:
        folder: Where its files are.
        nodes: How many workers.
        open_files: The limit of descriptors of the workers.
        nannies: Whether each has a nanny, which starts it again when it dies.
    """

    def __init__(
        self, folder: Path, nodes: int = 2, *, open_files: int | None = None, nannies: bool = False
    ) -> None:
        self.file = folder / "scheduler.json"
        self.workers: list[subprocess.Popen[bytes]] = []
        self._folder = folder
        self._open_files = open_files
        self._nannies = nannies
        self._port = 0
        self.scheduler = self._start_scheduler()
        for _ in range(nodes):
            self.add_worker()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in [*self.workers, self.scheduler]:
            end(process)

    @property
    def engine(self) -> str:
        """What names it for ``--engine``."""
        return f"dask:{self.file}"

    def client(self) -> Client:
        """A client, once all workers are there."""
        from distributed import Client

        client = Client(scheduler_file=str(self.file), set_as_default=False)
        client.wait_for_workers(len(self.workers), timeout=LONGEST_S)
        return client

    def wait(self) -> None:
        """Wait until all workers are there."""
        self.client().close()

    def _start_scheduler(self) -> subprocess.Popen[bytes]:
        return self._start(
            "scheduler", "--host", "127.0.0.1", "--port", str(self._port), "--no-dashboard",
        )  # fmt: skip

    def restart_scheduler(self) -> None:
        """Put a new one in the place of the one that was killed."""
        end(self.scheduler)
        self.file.unlink()
        self.scheduler = self._start_scheduler()

    def add_worker(self) -> subprocess.Popen[bytes]:
        """Start one more; it waits for the scheduler's file."""
        nanny = "--nanny" if self._nannies else "--no-nanny"
        worker = self._start(
            "worker", nanny, "--nthreads", "1", "--no-dashboard",
            "--local-directory", str(self._folder),
        )  # fmt: skip
        self.workers.append(worker)
        return worker

    def _start(self, what: str, *options: str) -> subprocess.Popen[bytes]:
        with open(self._folder / f"{what}.log", "ab") as log:
            process = subprocess.Popen(
                [
                    sys.executable, "-m", f"distributed.cli.dask_{what}",
                    "--scheduler-file", str(self.file), *options,
                ],
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        if what == "worker" and self._open_files is not None:
            limits = (self._open_files, self._open_files)
            resource.prlimit(process.pid, resource.RLIMIT_NOFILE, limits)
        return process

    def pool_workers(self) -> list[psutil.Process]:
        """The workers of our pools that run on its nodes, and what tasks have started."""
        found = []
        for worker in self.workers:
            with suppress(psutil.NoSuchProcess):
                found += [
                    one
                    for one in psutil.Process(worker.pid).children(recursive=True)
                    if "fsworkers.pool.worker" in one.cmdline() or "sleep" in one.cmdline()
                ]
        return found


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process with everything below it."""
    below = []
    with suppress(psutil.NoSuchProcess):
        below = psutil.Process(process.pid).children(recursive=True)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for one in below:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    process.wait()
    psutil.wait_procs(below, timeout=LONGEST_S)
