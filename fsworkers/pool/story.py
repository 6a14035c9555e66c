"""The last events of a pool, so that it can be told what happened to an item or a worker."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

KEPT_EVENTS = 2000


class StoryEvent(NamedTuple):
    """What happened in a lane, perhaps to some items of a call.

    Attributes:
        at: When, on the monotonic clock.
        what: In a few words.
        lane: In which lane, which is its worker's number.
        call: To items of which call, counted from 0 in a pool; -1 if to none.
        start: The first of these items, by its place in the call.
        stop: The one after the last.
    """

    at: float
    what: str
    lane: int
    call: int
    start: int
    stop: int

    def is_about(self, call: int, index: int) -> bool:
        """Whether it happened to that item."""
        return self.call == call and self.start <= index < self.stop


class Story:
    """Remembers the last events: what happened to which items, in which lane."""

    def __init__(self) -> None:
        self._events: deque[StoryEvent] = deque(maxlen=KEPT_EVENTS)

    def note(
        self, now: float, what: str, lane: int, call: int = -1, start: int = 0, stop: int = 0
    ) -> None:
        """Something happened in a lane, perhaps to some items of a call."""
        self._events.append(StoryEvent(now, what, lane, call, start, stop))

    def events(self) -> list[StoryEvent]:
        """All that is remembered, in order; may be asked from any thread."""
        return list(self._events.copy())  # one step of the interpreter: nothing is noted meanwhile

    def of_item(self, call: int, index: int) -> list[str]:
        """What happened to an item, a line an event."""
        return [
            f"{one.at:.6f} {one.what} lane {one.lane}: {one.start} to {one.stop - 1}"
            for one in self.events()
            if one.is_about(call, index)
        ]

    def of_lane(self, number: int) -> list[str]:
        """What happened in a lane, a line an event."""
        return [
            f"{one.at:.6f} {one.what}"
            + (f": call {one.call}, {one.start} to {one.stop - 1}" if one.call >= 0 else "")
            for one in self.events()
            if one.lane == number
        ]
