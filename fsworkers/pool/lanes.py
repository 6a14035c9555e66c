"""The lanes of a pool: which workers are started, late, silent, worn out, replaced. Pure.

What it wants done it adds to the dispatcher's actions. Lanes that can be sent something are kept
apart, so that dealing out blocks costs the same with two lanes and with a thousand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsworkers.pool.actions import Action, GiveUp, Kill, Recall, Retire, Start, Warn
from fsworkers.pool.lane import CREDIT_BLOCKS, Lane

if TYPE_CHECKING:
    from collections.abc import Callable

    from fsworkers.pool.rules import Rules
    from fsworkers.pool.story import Story

MAX_FAILED_STARTS = 3
"""So many starts in a row without a ready worker mean that the next one fails as well."""

STARTS_AT_ONCE = 8
"""Workers that are started side by side: more would only make each other late."""

SUSPICIOUS_S = 2.0
"""Silence of a busy worker after which it is worth a look; heartbeats come every 0.5 s."""

LOOK_S = 0.5
"""Between two looks at all lanes."""


class Lanes:
    """All lanes, and what becomes of them.

    Args:
        rules: The settings.
        story: Told of what happens.
        actions: Where what is to be done is added.
        silence_s: How long a lane may be silent, by what it holds.

    Attributes:
        all: By number.
        idle: Those that have nothing to do.
        half: Those that have something, and credit for more.
        starting: Those that are not ready yet.
        next_look: When all are to be looked at again.
        restarts: Workers that were replaced because they had died or hung.
        recycled: Workers that were replaced because they had run enough or grown too large.
        has_given_up: No worker can be had.
    """

    def __init__(
        self,
        rules: Rules,
        story: Story,
        actions: list[Action],
        silence_s: Callable[[Lane], float],
    ) -> None:
        self.all: dict[int, Lane] = {}
        self.idle: dict[int, Lane] = {}
        self.half: dict[int, Lane] = {}
        self.starting: dict[int, Lane] = {}
        self.next_look = 0.0
        self.restarts = 0
        self.recycled = 0
        self.has_given_up = False
        self._rules = rules
        self._story = story
        self._actions = actions
        self._silence_s = silence_s
        self._next_number = 0
        self._was_ready = False
        self._failed_starts = 0

    @property
    def are_all_idle(self) -> bool:
        """Whether every lane is ready and has nothing to do."""
        return len(self.idle) == len(self.all)

    @property
    def may_start(self) -> int:
        """How many more workers may be started now."""
        if self.has_given_up:
            return 0
        room = self._rules.workers - len(self.all)
        return max(0, min(room, STARTS_AT_ONCE - len(self.starting)))

    def start(self, now: float) -> None:
        """Start a worker."""
        number = self._next_number
        self._next_number += 1
        lane = Lane(number, now, now + self._rules.ready_s)
        self.all[number] = self.starting[number] = lane
        self.next_look = min(self.next_look, now + LOOK_S)
        self._story.note(now, "started", number)
        self._actions.append(Start(number))

    def starts_later(self, number: int, now: float) -> None:
        """A worker can't be started yet; once the pool has been at work, there is time for it."""
        lane = self.all.get(number)
        if lane is not None and self._was_ready:
            lane.deadline = now + self._rules.ready_s

    def ready(self, lane: Lane, now: float) -> None:
        """A worker can run items."""
        lane.is_ready = self._was_ready = True
        lane.last_heard = lane.last_progress = now
        self._failed_starts = 0
        self.starting.pop(lane.number, None)
        self._story.note(now, "ready", lane.number)

    def place(self, lane: Lane, now: float) -> None:
        """Put a lane where its credit says that it belongs; let it go if it has had enough."""
        self.idle.pop(lane.number, None)
        self.half.pop(lane.number, None)
        if lane.is_at_work and self._has_had_enough(lane):
            lane.is_retiring = True
            if self._has_grown_too_large(lane):
                self.recall(lane, lane.count)
        if lane.is_retiring and not (lane.holdings or lane.is_told_to_end or lane.is_condemned):
            lane.is_told_to_end = True
            self._story.note(now, "retired", lane.number)
            self._actions.append(Retire(lane.number))
        credit = lane.credit
        if credit == CREDIT_BLOCKS:
            self.idle[lane.number] = lane
        elif credit > 0:
            self.half[lane.number] = lane

    def recall(self, lane: Lane, most: int) -> None:
        """Ask a worker to give back up to ``most`` items."""
        if most > 0 and not (lane.is_recalling or lane.is_condemned):
            lane.is_recalling = True
            self._actions.append(Recall(lane.number, most))

    def kill(self, lane: Lane, reason: str, now: float, *, is_hung: bool = False) -> None:
        """End a worker, whatever it is at."""
        if lane.is_condemned:
            return
        lane.is_condemned = True
        lane.is_hung = is_hung
        self.idle.pop(lane.number, None)
        self.half.pop(lane.number, None)
        self._story.note(now, f"killed ({reason})", lane.number)
        self._actions.append(Kill(lane.number, reason))

    def remove(self, number: int, reason: str, now: float) -> Lane | None:
        """A worker has ended."""
        lane = self.all.pop(number, None)
        for lanes in (self.idle, self.half, self.starting):
            lanes.pop(number, None)
        if lane is not None:
            self._story.note(now, f"died ({reason})", number)
            self._failed_starts += not lane.is_ready
        return lane

    def replace(self, lane: Lane, reason: str, now: float) -> None:
        """Start another worker for one that has ended, unless starts fail again and again."""
        if lane.is_retiring and not lane.holdings:
            self.recycled += 1
            self.start(now)
        elif lane.is_ready or self._failed_starts < MAX_FAILED_STARTS:
            self.restarts += 1
            self.start(now)
        elif self.all:
            self._warn(
                f"worker {lane.number} was not ready before it ended, and is not replaced: {reason}"
            )
        else:
            self._give_up(f"workers die before they are ready: {reason}")

    def look(self, now: float) -> None:
        """See whether somebody is late or has been silent for too long, if it is time for that."""
        if now < self.next_look:
            return
        self.next_look = now + LOOK_S
        for lane in list(self.all.values()):
            if lane.is_condemned:
                continue
            if not lane.is_ready and now >= lane.deadline:
                self._expire(lane, now)
            elif not lane.is_ready:
                self.next_look = min(self.next_look, lane.deadline)
            elif lane.holdings and now - lane.last_heard >= self._silence_s(lane):
                reason = f"no sign of life for {self._silence_s(lane):g} s"
                self.kill(lane, reason, now, is_hung=True)

    def silent(self, now: float) -> list[int]:
        """Those that should have been heard from some time ago: the shell may look at them."""
        return [
            lane.number
            for lane in self.all.values()
            if (lane.holdings or not lane.is_ready)
            and not lane.is_condemned
            and now - lane.last_heard >= SUSPICIOUS_S
        ]

    def overslept(self, by_s: float) -> None:
        """Everybody stood still for a while (a suspended machine): nobody was silent then."""
        for lane in self.all.values():
            lane.last_heard += by_s
            lane.deadline += by_s

    def _expire(self, lane: Lane, now: float) -> None:
        """A worker should have been ready by now: the pool can't work, or goes on without it."""
        if not self._was_ready:
            self._give_up(f"no worker was ready within {self._rules.ready_s:g} s")
            return
        self._warn(f"worker {lane.number} was not ready within {self._rules.ready_s:g} s")
        self.kill(lane, "it was not ready in time", now)

    def _has_had_enough(self, lane: Lane) -> bool:
        most_items = self._rules.max_lane_items
        has_run_enough = most_items is not None and lane.sent_items >= most_items
        return has_run_enough or self._has_grown_too_large(lane)

    def _has_grown_too_large(self, lane: Lane) -> bool:
        most_bytes = self._rules.max_rss_bytes
        return most_bytes is not None and lane.rss_bytes > most_bytes

    def _warn(self, message: str) -> None:
        self._actions.append(Warn(message))

    def _give_up(self, reason: str) -> None:
        if not self.has_given_up:
            self.has_given_up = True
            self._actions.append(GiveUp(reason))
