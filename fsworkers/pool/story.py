"""The last events of a pool, so that it can be told what happened to an item or a worker."""

from __future__ import annotations

from collections import deque

KEPT_EVENTS = 2000


class Story:
    """Remembers the last events: what happened to which items, in which lane."""

    def __init__(self) -> None:
        self._events: deque[tuple[float, str, int, int, int, int]] = deque(maxlen=KEPT_EVENTS)

    def note(
        self, now: float, what: str, lane: int, call: int = -1, start: int = 0, stop: int = 0
    ) -> None:
        """Something happened in a lane, perhaps to some items of a call."""
        self._events.append((now, what, lane, call, start, stop))

    def of_item(self, call: int, index: int) -> list[str]:
        """What happened to an item, a line an event."""
        return [
            f"{at:.6f} {what} lane {lane}: {start} to {stop - 1}"
            for at, what, lane, of, start, stop in self._events
            if of == call and start <= index < stop
        ]

    def of_lane(self, number: int) -> list[str]:
        """What happened in a lane, a line an event."""
        return [
            f"{at:.6f} {what}: call {of}, {start} to {stop - 1}" if of >= 0 else f"{at:.6f} {what}"
            for at, what, lane, of, start, stop in self._events
            if lane == number
        ]
