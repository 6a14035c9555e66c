"""The settings that decide what a dispatcher does."""

from __future__ import annotations

from typing import NamedTuple

SILENCE_S = 1.0
"""How much longer than its time an item's worker may be silent: heartbeats come late under load."""

CANCEL_S = 5.0
"""How long an attempt may take to end once its own worker has told it to, before that is killed: a
command has two seconds between TERM and KILL."""


class Rules(NamedTuple):
    """The settings that decide, in seconds and counts.

    Attributes:
        workers: Lanes to have at most; each is started when there is work for it.
        retries: Further attempts for an item whose failure is transient.
        timeout_s: Longest time of one attempt; ``None`` for no bound.
        ready_s: How long a worker may take to report ready.
        grace_s: Longest silence of a worker before it counts as hung.
        max_deaths: Deaths of a worker that make the item it ran ``crashed``.
        max_lane_items: Items after which a worker is replaced; ``None`` for never.
        max_rss_bytes: Memory above which a worker is replaced; ``None`` for never.
    """

    workers: int
    retries: int = 0
    timeout_s: float | None = None
    ready_s: float = 10.0
    grace_s: float = 30.0
    max_deaths: int = 2
    max_lane_items: int | None = None
    max_rss_bytes: int | None = None

    @property
    def silence_s(self) -> float:
        """How long a worker that has something to do may be silent.

        C code that keeps the interpreter lock silences heartbeats too, so with a time-out silence
        means an item that overruns it.
        """
        return self.grace_s if self.timeout_s is None else self.timeout_s + SILENCE_S
