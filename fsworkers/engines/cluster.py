"""A Dask cluster before anything runs on it: reached, and found fit for a run."""

from __future__ import annotations

import json
import logging
import os
import platform
import signal
import subprocess
import sys
import tempfile
import threading
import warnings
from importlib.metadata import version
from itertools import islice
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from fsworkers.errors import BadSetting, FsworkersError, MissingExtra
from fsworkers.names import is_url
from fsworkers.pool.settings import usable_processors

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import ExitStack

    from distributed import Client

    from fsworkers.pool.settings import PoolSettings

ENGINES = "local, inline, dask, dask://HOST:PORT or dask:FILE.json"

CONNECT_S = 10
END_S = 5.0
LOCAL_NODES = 2
CALM = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "2s",
}
"""For nodes of our own: what Dask looks at by itself takes a tenth of a processor, on two nodes."""

MOST_SAMPLES = 16
"""Entries of each PATH that every node must see."""


class ClusterNotReached(FsworkersError, ConnectionError):
    """There is no Dask scheduler, or it does not answer."""

    def __init__(self, place: str, reason: str) -> None:
        self.place = place
        self.reason = reason
        super().__init__(f"--engine {place}: no Dask scheduler is reached there: {reason}")


class ClusterLost(FsworkersError, ConnectionError):
    """The scheduler of a cluster has gone in the midst of a run."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"the Dask scheduler is lost ({reason}); what was recorded before stays, "
            "and a new one can go on with the rest"
        )


class ClusterMismatch(FsworkersError, RuntimeError):
    """A machine of the cluster has other versions than the client."""

    def __init__(self, machine: str, package: str, there: str | None, here: str) -> None:
        self.machine = machine
        self.package = package
        self.there = there
        self.here = here
        has = "is not installed" if there is None else f"is {there}"
        super().__init__(f"{package} {has} on {machine}, and {here} here; install {here} there")


class PathNotShared(FsworkersError, OSError):
    """A node of a cluster does not see a path as the client does."""

    def __init__(self, machine: str, path: str) -> None:
        self.machine = machine
        self.path = path
        super().__init__(
            f"{machine} does not see {path!r} as this machine does; put it on storage that all "
            "machines of the cluster have under this name"
        )


class NodeFailed(FsworkersError, RuntimeError):
    """A node of a cluster can't run what it is sent."""

    def __init__(self, machine: str, reason: str) -> None:
        self.machine = machine
        self.reason = reason
        super().__init__(f"{machine} could not take part: {reason}")


def check_engine(setting: str, name: str) -> None:
    """Refuse what names no engine.

    Raises:
        BadSetting: It does not.
    """
    kind, colon, place = name.partition(":")
    host, _, port = place.removeprefix("//").rpartition(":")
    is_address = place.startswith("//") and bool(host) and port.isdecimal()
    is_file = bool(place) and not place.startswith("//")
    if name not in {"local", "inline", "dask"} and not (
        kind == "dask" and colon and (is_address or is_file)
    ):
        raise BadSetting(setting, name, ENGINES)


def check_client(client: object) -> None:
    """Refuse what is no client of a cluster, or one that is closed.

    Raises:
        BadSetting: It is none.
        ClusterNotReached: It is closed.
    """
    import distributed  # noqa: PLC0415  (only for these runs)

    if not isinstance(client, distributed.Client):
        raise BadSetting("engine", client, f"{ENGINES}, or a distributed.Client")
    if client.status != "running":
        raise ClusterNotReached("CLIENT", f"the client is {client.status}")


def require_dask() -> None:
    """Load Dask.

    Raises:
        MissingExtra: It is not installed.
    """
    try:
        import distributed  # noqa: F401, PLC0415  (only for these runs)
    except ImportError as error:
        raise MissingExtra("the engine dask", "dask") from error


def connect(name: str, settings: PoolSettings, stack: ExitStack) -> Client:
    """A client of the cluster that ``name`` names; the stack closes it, and a cluster of our own.

    Raises:
        ClusterNotReached: No scheduler is there.
    """
    import distributed  # noqa: PLC0415  (only for these runs)

    for logger in [one for one in logging.root.manager.loggerDict if one.startswith("distributed")]:
        logging.getLogger(logger).setLevel(logging.CRITICAL)  # what matters is raised
    if name == "dask":
        address = _start_here(settings, stack)
    elif name.startswith("dask://"):
        address = name.removeprefix("dask://")
    else:
        address = _address_in(name)
    made: SimpleQueue[Client | Exception] = SimpleQueue()

    def make() -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # versions are compared below
                made.put(distributed.Client(address, timeout=CONNECT_S, set_as_default=False))
        except Exception as error:  # noqa: BLE001  (what is no scheduler makes for any)
            made.put(error)

    # Its own limit ends with the connection: what listens there may never say a word.
    threading.Thread(target=make, daemon=True).start()
    try:
        client = made.get(timeout=CONNECT_S + 2)
    except Empty:
        raise ClusterNotReached(name, "what listens there does not answer as one") from None
    if isinstance(client, OSError):
        raise ClusterNotReached(name, str(client)) from client
    if isinstance(client, Exception):
        raise ClusterNotReached(name, "what listens there is none") from client
    stack.callback(client.close)
    return client


def _address_in(name: str) -> str:
    """The address in the scheduler's file that an engine is named by.

    Raises:
        ClusterNotReached: It is no such file.
    """
    try:
        with open(name.removeprefix("dask:"), "rb") as file:
            address: str = json.load(file)["address"]
    except OSError as error:
        raise ClusterNotReached(name, error.strerror or str(error)) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ClusterNotReached(name, "that is no scheduler file") from error
    return address


def _start_here(settings: PoolSettings, stack: ExitStack) -> str:
    """Start a cluster for trying: its scheduler in this process, its workers as a user would.

    They have sessions of their own, so that Ctrl-C is only ours, and end with the scheduler.
    """
    import dask  # noqa: PLC0415  (only for these runs)
    import distributed  # noqa: PLC0415

    with dask.config.set(CALM):
        cluster = distributed.LocalCluster(
            n_workers=0,
            host="127.0.0.1",
            processes=False,
            protocol="tcp://",
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
        )
    stack.callback(cluster.close)
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="fsworkers-"))
    threads = settings.workers or max(1, usable_processors() // LOCAL_NODES)
    command = [
        sys.executable, "-m", "distributed.cli.dask_worker", cluster.scheduler_address,
        "--nthreads", str(threads), "--no-dashboard", "--local-directory", folder,
    ]  # fmt: skip
    calm = {f"DASK_{key.replace('.', '__').upper()}": str(CALM[key]) for key in CALM}
    env = calm | os.environ
    for _ in range(LOCAL_NODES):
        nothing = subprocess.DEVNULL
        worker = subprocess.Popen(
            command, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True, env=env
        )
        stack.callback(_end, worker)
    address: str = cluster.scheduler_address
    return address


def _end(worker: subprocess.Popen[bytes]) -> None:
    """End a worker of our own with its nanny, also if it is stopped."""
    worker.terminate()
    try:
        worker.wait(END_S)
    except subprocess.TimeoutExpired:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()


def judge(
    client: Client, nodes: Iterable[str], samples: list[tuple[str, int | None]]
) -> dict[str, FsworkersError | None]:
    """Why each of these nodes can't take part, or ``None``; who does not answer is left out."""
    import fsworkers  # noqa: PLC0415  (for its version)
    from fsworkers.engines.node import unseen  # noqa: PLC0415  (only with a cluster)

    message = {"op": "versions", "packages": ["fsworkers"]}
    told: dict[str, Any] = client.sync(
        client.scheduler.broadcast, msg=message, workers=list(nodes), on_error="ignore"
    )
    own = {
        "python": platform.python_version(),
        "fsworkers": fsworkers.__version__,
        "distributed": version("distributed"),
    }
    judged: dict[str, FsworkersError | None] = {}
    for node, versions in told.items():
        there = versions["packages"]
        judged[node] = None
        for package, here in own.items():
            if _told(package, there[package]) != _told(package, here):
                judged[node] = ClusterMismatch(node, package, there[package], here)
    fit = [node for node, reason in judged.items() if reason is None]
    if samples and fit:
        seen: dict[str, Any] = client.run(unseen, samples, workers=fit, on_error="return")
        for node, path in seen.items():
            if isinstance(path, OSError):
                del judged[node]  # it has gone meanwhile
            elif isinstance(path, Exception):
                judged[node] = NodeFailed(node, f"{type(path).__name__}: {path}")
            elif path is not None:
                judged[node] = PathNotShared(node, path)
    return judged


def _told(package: str, full: str | None) -> str | None:
    """A version as far as it matters: of Python, two parts."""
    return ".".join(full.split(".")[:2]) if package == "python" and full else full


def samples_of(roots: Iterable[str]) -> list[tuple[str, int | None]]:
    """A few paths that every node must see, with the sizes of those that are files."""
    found: list[tuple[str, int | None]] = []
    for root in roots:
        if is_url(root):
            continue
        path = os.path.abspath(root)
        if not os.path.isdir(path):
            found.append((path, os.stat(path).st_size))
            continue
        found.append((path, None))
        with os.scandir(path) as entries:
            for entry in islice(entries, MOST_SAMPLES):
                if entry.is_dir(follow_symlinks=False):
                    found.append((entry.path, None))
                elif entry.is_file(follow_symlinks=False):
                    found.append((entry.path, entry.stat(follow_symlinks=False).st_size))
    return found
