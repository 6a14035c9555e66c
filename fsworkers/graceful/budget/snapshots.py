"""Frozen snapshots: what the layer shows of itself.

Written out rather than made by ``dataclasses``, whose import alone costs a worker more than this
whole package (it draws in ``inspect``).
"""

from __future__ import annotations


class Snapshot:
    """A record whose fields are set once, by keyword, and never again."""

    __slots__: tuple[str, ...] = ()

    def __init__(self, **fields: object) -> None:
        for name in type(self).__annotations__:
            object.__setattr__(self, name, fields.pop(name))
        if fields:
            raise TypeError(f"{type(self).__name__} has no field {', '.join(sorted(fields))}")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is a snapshot: {name} cannot be set")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is a snapshot: {name} cannot be deleted")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self.as_dict() == other.as_dict()

    def __hash__(self) -> int:
        return hash((type(self), *self.as_dict().values()))

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.as_dict().items())
        return f"{type(self).__name__}({fields})"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.as_dict())

    def as_dict(self) -> dict[str, object]:
        """The fields by name, in order of definition."""
        return {name: getattr(self, name) for name in type(self).__annotations__}


def _rebuild(kind: type[Snapshot], fields: dict[str, object]) -> Snapshot:
    return kind(**fields)


class Statistics(Snapshot):
    """What a budget did so far and does now.

    Attributes:
        capacity: Descriptors it would lend at this moment; below its ceiling under pressure.
        lent: Descriptors lent now.
        waiting: Operations waiting now.
        peak: The most ever lent at one moment.
        waits: Operations that had to wait.
        waited_s: Seconds they waited, added up.
        refused: How often the kernel said EMFILE or ENFILE to an operation that had a permit.
        refused_machine: Those of ``refused`` that were ENFILE: the whole machine was out.
        deadlocks: Operations ended with ``DescriptorDeadlock``.
        rescued: Operations served from the reserve because everybody held and waited.
    """

    __slots__ = (
        "capacity",
        "deadlocks",
        "lent",
        "peak",
        "refused",
        "refused_machine",
        "rescued",
        "waited_s",
        "waiting",
        "waits",
    )

    capacity: int
    lent: int
    waiting: int
    peak: int
    waits: int
    waited_s: float
    refused: int
    refused_machine: int
    deadlocks: int
    rescued: int


class Holder(Snapshot):
    """One who holds descriptors.

    Attributes:
        name: ``thread NAME`` or ``task NAME``.
        count: Descriptors held.
        traces: Where they were taken, innermost call first, as ``file:line function``; empty
            unless tracing was on when they were.
    """

    __slots__ = ("count", "name", "traces")

    name: str
    count: int
    traces: tuple[tuple[str, ...], ...]

    def __str__(self) -> str:
        return f"{self.name} holds {self.count}"


class Limits(Snapshot):
    """What the system allows and what the budget makes of it; ``None`` where it cannot be told.

    Attributes:
        soft_limit: The soft RLIMIT_NOFILE: no descriptor number reaches it. ``None``: unlimited.
        hard_limit: How far the soft limit may be raised. ``None``: unlimited.
        in_use: Descriptor numbers open in this process now, below the soft limit.
        reserve: Descriptors kept out of the budget.
        budget: Descriptors the layer lends at most.
        machine_in_use: Open files of the whole machine.
        machine_limit: The most it may have.
    """

    __slots__ = (
        "budget",
        "hard_limit",
        "in_use",
        "machine_in_use",
        "machine_limit",
        "reserve",
        "soft_limit",
    )

    soft_limit: int | None
    hard_limit: int | None
    in_use: int | None
    reserve: int
    budget: int
    machine_in_use: int | None
    machine_limit: int | None
