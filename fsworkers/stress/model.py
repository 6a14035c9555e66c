"""What a stress run is told and what it measures; ``--json`` writes a ``StressResult``."""

from __future__ import annotations

from collections import Counter
from typing import Literal, TypeAlias

import msgspec

from fsworkers.model import DescriptorUse

Side: TypeAlias = Literal["ordinary", "fsworkers"]

SIDES: tuple[Side, ...] = ("ordinary", "fsworkers")


class Plan(msgspec.Struct, frozen=True):
    """What was asked for."""

    files: int = 4000  # of the tree
    size_bytes: int = 4096  # of each
    workers: int = 2  # on either side
    limit: int = 64  # the soft RLIMIT_NOFILE in every worker
    concurrency: int = 1000  # files each worker wants open at one time
    duration_s: float = 0.0  # of each scenario, 0 for one round; the ordinary side stops sooner
    seed: int = 1  # decides contents, orders, holding times, victims
    scenarios: tuple[str, ...] = ()  # in the order in which they run
    call: str | None = None  # the user's own function as MODULE:FUNCTION
    input: str | None = None  # the directory it is run over


class Brief(msgspec.Struct, frozen=True):
    """What the process of one side is told, and what its workers are."""

    plan: Plan
    scenario: str
    side: Side
    folder: str  # of the run, with the tree; temporary files and sockets go there too

    @property
    def scoreboard(self) -> str:
        """The file of this side's scoreboard."""
        return f"{self.folder}/{self.scenario}-{self.side}"


class Layer(DescriptorUse, frozen=True):
    """The figures of the descriptor layer and the pool over all workers of the fsworkers side."""

    restarts: int = 0
    retries: int = 0


class Report(msgspec.Struct):
    """What the process of one side says.

    Attributes:
        kind: ``round`` (one is over, answer when it is counted), ``idle`` (nothing runs, workers
            live; answer when they have been looked at), ``story`` (asked for), ``end``.
    """

    kind: str
    errors: Counter[str] = msgspec.field(default_factory=Counter)  # of jobs, and how often
    rerun: int = 0  # jobs whose worker was killed twice, run once more
    duplicates: int = 0  # results that came once more
    drawn_ahead: int = 0  # the most items drawn and not consumed yet
    ended_s: float = 0.0  # when the round's last result came, on the monotonic clock
    leaked: int = 0  # descriptors that the process has more than before it made its pool
    layer: Layer | None = None
    story: list[tuple[float, str]] = []  # what the dispatcher remembers: when, monotonic, and what


class Waits(msgspec.Struct, frozen=True):
    """From wanting a descriptor to having it, in seconds, of operations that were done."""

    p50_s: float
    p99_s: float
    max_s: float


class Event(msgspec.Struct, frozen=True):
    """Something that was done to a side, or that it lived through."""

    at_s: float  # since the side's first worker began
    kind: str  # kill, stop, squeeze, release, inject, worker, gone
    pid: int
    note: str = ""


class Sample(msgspec.Struct, frozen=True):
    """One look from outside."""

    at_s: float  # since the side's first worker began
    open: int  # descriptors of the fullest worker; -1 where it can't be told
    waiting: int  # operations that want a descriptor and have none


class Look(msgspec.Struct, frozen=True):
    """One look, as a display wants it."""

    brief: Brief
    at_s: float
    workers: list[int]  # the living workers' open descriptors
    waiting: int
    ended: int  # operations of this round
    wanted: int  # likewise
    rounds: int  # that are over
    per_s: float


class SideResult(msgspec.Struct):
    """What one side came to; filled in as its rounds end.

    Each operation is in one of the counts from ``done`` to ``unmeant``.
    """

    side: Side
    wanted: int = 0
    done: int = 0  # the content was right, and the result reached the caller
    failed: dict[str, int] = {}  # by errno's or error's name
    wrong: int = 0  # the content was not right
    lost: int = 0  # the caller had never heard of it when the side had ended
    hung: int = 0  # the same when it had to be ended
    crashed: int = 0  # meant to kill its worker and reported so
    unmeant: int = 0  # reported so and not meant to
    duplicates: int = 0  # results that came once more
    peak: int | None = None  # descriptors open in one worker; None if it was over too soon
    waits: Waits | None = None  # None where it is not known of any
    seconds: float = 0.0  # from the first worker's begin to the last result
    per_s: float = 0.0  # operations done a second
    deaths: int = 0  # workers killed, stopped, or poisoned
    survived: int = 0  # those after which it went on
    rerun: int = 0  # jobs whose worker was killed twice and that were handed in again
    rounds: int = 0
    cut_short: str = ""  # how it was ended; empty if it ended by itself
    drawn_ahead: int = 0  # the most items drawn and not consumed yet
    served: int = 0  # waiters served, as far as their order was watched
    overtaken: int = 0  # those served while one who came before them waited
    rescued: int = 0  # waiters served from the reserve to end a deadlock
    deadlocks: int = 0  # waiters turned away to end one
    leaked: int = 0  # descriptors that living workers had more at the end than at the beginning
    processes_left: int = 0
    master_leaked: int = 0  # descriptors that the caller's process had more at the end
    errors: dict[str, int] = {}  # what jobs failed with most, and how often
    injected: str = ""  # how the kernel was made to refuse
    layer: Layer | None = None
    samples: list[Sample] = []  # thinned out
    events: list[Event] = []
    story: list[str] = []  # what happened last, and how things stood that went wrong


class Broken(msgspec.Struct, frozen=True):
    """An invariant that did not hold."""

    scenario: str
    invariant: str
    seen: str


class ScenarioResult(msgspec.Struct, frozen=True):
    """Both sides of one scenario, and what fsworkers did not keep."""

    name: str
    proves: str
    ordinary: SideResult
    fsworkers: SideResult
    broken: list[Broken] = []


class StressResult(msgspec.Struct, frozen=True):
    """A whole run, as ``--json`` writes it."""

    plan: Plan
    machine: dict[str, str | int]  # system, processors, python, fsworkers, began
    command: str
    seconds: float
    scenarios: list[ScenarioResult]
    is_kept: bool  # whether every invariant held
    unread: list[str] = []  # what of the input could not be read, and was passed over
