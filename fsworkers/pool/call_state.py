"""A call as the dispatcher sees it: where its items come from, and how long they take. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from fsworkers.pool.pace import Pace

if TYPE_CHECKING:
    from fsworkers.pool.blocks import Block


class Source(Protocol):
    """Where a call's new items come from."""

    def take(self, most: int) -> Block | None:
        """The next items, up to ``most`` or fewer; ``None`` if none can be had now."""

    @property
    def ready(self) -> int:
        """How many items could be taken now, at least."""

    @property
    def left(self) -> int | None:
        """How many items will still come in all; ``None`` where that is not known."""

    def drain(self) -> Block | None:
        """What was drawn and not taken, because the call is cancelled; ``None`` if nothing was."""


class Traits(NamedTuple):
    """What matters here of a call's task.

    Attributes:
        slots: How many of its items a worker runs at one time.
        is_cancellable: Whether the worker itself ends an attempt that takes too long.
    """

    slots: int = 1
    is_cancellable: bool = False


class CallState:
    """A call.

    Attributes:
        source: Where its items come from.
        traits: What matters of its task.
        pace: How long its items take.
        is_cancelled: None of its items is to be begun any more.
        unsettled: How many of its items were drawn and have not come to an outcome.
    """

    def __init__(self, source: Source, traits: Traits) -> None:
        self.source = source
        self.traits = traits
        self.pace = Pace(traits.slots)
        self.is_cancelled = False
        self.unsettled = 0
