"""What the layer tells of itself, as immutable records.

Without ``dataclasses``: importing that alone costs a worker more than this whole package.
"""

from __future__ import annotations


class Snapshot:
    """A record whose fields are set once, by keyword, and never again."""

    def __init__(self, **fields: object) -> None:
        if fields.keys() != type(self).__annotations__.keys():
            raise TypeError(f"{type(self).__name__} has {', '.join(type(self).__annotations__)}")
        vars(self).update(fields)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is a snapshot: {name} cannot be set")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash(tuple(vars(self).values()))

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({fields})"

    def as_dict(self) -> dict[str, object]:
        """The fields by name, in order of definition."""
        return {name: vars(self)[name] for name in type(self).__annotations__}


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

    soft_limit: int | None
    hard_limit: int | None
    in_use: int | None
    reserve: int
    budget: int
    machine_in_use: int | None
    machine_limit: int | None
