"""What a stress run is made of and what it measures: frozen records, as ``--json`` writes them."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Side: TypeAlias = Literal["ordinary", "fsworkers"]

SIDES: tuple[Side, ...] = ("ordinary", "fsworkers")


class Plan(msgspec.Struct, frozen=True):
    """What was asked for.

    Attributes:
        files: Files of the tree.
        size_bytes: Bytes of each.
        workers: Worker processes on either side.
        limit: The soft RLIMIT_NOFILE in every worker.
        concurrency: Files each worker wants open at one time.
        duration_s: How long each scenario goes on; 0 for one round. The ordinary side stops sooner.
        seed: Decides contents, orders, holding times, victims.
        scenarios: Names, in the order in which they run.
        call: The user's own function as MODULE:FUNCTION; ``None`` without ``--call``.
        input: The directory it is run over.
    """

    files: int = 4000
    size_bytes: int = 4096
    workers: int = 2
    limit: int = 64
    concurrency: int = 1000
    duration_s: float = 0.0
    seed: int = 1
    scenarios: tuple[str, ...] = ()
    call: str | None = None
    input: str | None = None


class Brief(msgspec.Struct, frozen=True):
    """What the process of one side is told, and what its workers are.

    Attributes:
        plan: As asked for.
        scenario: Which scenario.
        side: Which side.
        tree: The directory of the generated tree.
        board: The file of the board.
        scratch: A directory for what the load itself writes.
        temporary: The directory for temporary files and sockets (TMPDIR).
        own_paths: A file of NUL-separated paths, for the user's own function.
    """

    plan: Plan
    scenario: str
    side: Side
    tree: str
    board: str
    scratch: str
    temporary: str
    own_paths: str | None = None


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the process of one side says, one JSON line each.

    Attributes:
        kind: ``round`` (one is over, answer when it is counted), ``idle`` (nothing runs, workers
            live; answer when they have been looked at), ``end``.
        errors: Of ``round``: what jobs failed with, and how often.
        broken: Of ``round``: pools that broke.
        untold: Of ``round``: how many more there were.
        rerun: Of ``round``: jobs whose worker was killed twice, run once more.
        duplicates: Of ``round``: results that came once more.
        drawn_ahead: Of ``round``: the most items drawn and not consumed yet.
        ended_s: Of ``round``: when its last result came, on the monotonic clock.
        descriptors_before: Of ``end``: open in the process before the pool was made.
        descriptors_after: Of ``end``: and after it was shut down.
        children_after: Of ``end``: its child processes then, by their pids.
        layer: Of ``round`` and ``end``: the descriptor layer's own figures so far.
    """

    kind: str
    errors: dict[str, int] = {}
    untold: int = 0
    broken: int = 0
    rerun: int = 0
    duplicates: int = 0
    drawn_ahead: int = 0
    ended_s: float = 0.0
    descriptors_before: int = 0
    descriptors_after: int = 0
    children_after: tuple[int, ...] = ()
    layer: Layer | None = None


class Layer(msgspec.Struct, frozen=True):
    """The descriptor layer's figures over all workers of the fsworkers side."""

    budget: int = 0
    peak: int = 0
    waits: int = 0
    waited_s: float = 0.0
    refused: int = 0
    restarts: int = 0
    retries: int = 0


class Waits(msgspec.Struct, frozen=True):
    """From wanting a descriptor to having it, in seconds, of operations that were done."""

    p50_s: float = 0.0
    p99_s: float = 0.0
    max_s: float = 0.0
    counts: dict[str, int] = {}
    """How many waits fell below each upper bound in seconds, and above the one before."""


class Event(msgspec.Struct, frozen=True):
    """Something that was done to a side, or that it lived through.

    Attributes:
        at_s: Since the side's first worker began.
        kind: ``kill``, ``stop``, ``squeeze``, ``release``, ``inject``, ``worker``, ``gone``.
        pid: Of which process.
        note: In words.
    """

    at_s: float
    kind: str
    pid: int
    note: str = ""


class Sample(msgspec.Struct, frozen=True):
    """One look from outside.

    Attributes:
        at_s: Since the side's first worker began.
        open: Descriptors of the fullest worker; -1 where it can't be told.
        waiting: Operations that want a descriptor and have none.
        ended: Operations done or failed so far, over all rounds.
    """

    at_s: float
    open: int
    waiting: int
    ended: int


class SideResult(msgspec.Struct, frozen=True):
    """What one side came to.

    Attributes:
        side: Which.
        wanted: Operations wanted.
        done: Those whose content was right and whose result reached the caller.
        failed: The others that ended, by errno's or error's name.
        wrong: Those whose content was not right.
        lost: Those of which the caller had never heard when the side had ended.
        hung: The same when it had to be ended.
        crashed: Those meant to kill their worker and reported so.
        unmeant: Those reported so and not meant to.
        duplicates: Results that came once more.
        peak: The most descriptors seen open in one worker; ``None`` where it can't be told.
        waits: How long operations waited; ``None`` where it is not known of any.
        seconds: From the first worker's begin to the last result.
        per_s: Operations done a second.
        deaths: Workers killed, stopped, or poisoned.
        survived: Those after which it went on.
        rerun: Jobs whose worker was killed twice and that were handed in again.
        rounds: How often the load was run.
        cut_short: How it was ended; empty if it ended by itself.
        drawn_ahead: The most items drawn and not consumed yet.
        served: Waiters served, as far as their order was watched.
        overtaken: Those served while one who came before them waited.
        rescued: Waiters served from the reserve to end a deadlock.
        deadlocks: Waiters turned away to end one.
        leaked: Descriptors that living workers had more at the end than at the beginning.
        processes_left: Processes left over.
        master_leaked: Descriptors that the caller's process had more at the end.
        errors: What jobs failed with most, and how often.
        untold: How many more failed.
        injected: How the kernel was made to refuse, in words.
        layer: The layer's own figures.
        samples: Looks from outside, thinned out.
        events: What happened when.
    """

    side: Side
    wanted: int = 0
    done: int = 0
    failed: dict[str, int] = {}
    wrong: int = 0
    lost: int = 0
    hung: int = 0
    crashed: int = 0
    unmeant: int = 0
    duplicates: int = 0
    peak: int | None = None
    waits: Waits | None = None
    seconds: float = 0.0
    per_s: float = 0.0
    deaths: int = 0
    survived: int = 0
    rerun: int = 0
    rounds: int = 0
    cut_short: str = ""
    drawn_ahead: int = 0
    served: int = 0
    overtaken: int = 0
    rescued: int = 0
    deadlocks: int = 0
    leaked: int = 0
    processes_left: int = 0
    master_leaked: int = 0
    errors: dict[str, int] = {}
    untold: int = 0
    injected: str = ""
    layer: Layer | None = None
    samples: list[Sample] = []
    events: list[Event] = []


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


class Machine(msgspec.Struct, frozen=True):
    """Where it ran."""

    system: str
    processors: int
    python: str
    fsworkers: str
    began: str


class StressResult(msgspec.Struct, frozen=True):
    """A whole run, as ``--json`` writes it."""

    plan: Plan
    machine: Machine
    command: str
    seconds: float
    scenarios: list[ScenarioResult]
    is_kept: bool
    """Whether every invariant held."""
    unread: list[str] = []
    """What of the input could not be read, and was passed over."""
