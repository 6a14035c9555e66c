"""What a run over a cluster still has to do: drawn in a thread of its own, and cut into blocks."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from fsworkers.pool.payload import PackedItems, pack_items

if TYPE_CHECKING:
    from collections.abc import Iterable

LEAST_AHEAD = 20_000
MOST_AHEAD = 50_000
"""Paths that are drawn ahead: as many as blocks of all nodes want, and 10 MB of them at most."""


class Supply:
    """Paths ahead of the blocks that are made of them.

    Args:
        batches: Lists of paths, drawn lazily.
        keeps_borders: Whether no block may reach over the place of an empty list.

    Attributes:
        taken: How many paths were taken so far.
        ahead: How many are drawn ahead.
        error: What drawing them raised.
    """

    def __init__(self, batches: Iterable[list[Any]], *, keeps_borders: bool) -> None:
        self.taken = 0
        self.ahead = LEAST_AHEAD
        self.error: BaseException | None = None
        self._batches = batches
        self._keeps_borders = keeps_borders
        self._paths: list[Any] = []
        self._borders: deque[int] = deque()
        self._is_drawing = True
        self._changed = threading.Condition()
        threading.Thread(target=self._draw, name="fsworkers-feeder", daemon=True).start()

    def __len__(self) -> int:
        return len(self._paths)

    @property
    def left(self) -> int | None:
        """How many there still are; ``None`` while that is not known."""
        return None if self._is_drawing else len(self._paths)

    @property
    def is_over(self) -> bool:
        """Whether there will be no more."""
        return not (self._is_drawing or self._paths)

    def stop(self) -> None:
        """Draw no more."""
        with self._changed:
            self._is_drawing = False
            self._changed.notify_all()

    def want(self, count: int) -> None:
        """Draw so many ahead, within bounds."""
        self.ahead = min(max(LEAST_AHEAD, count), MOST_AHEAD)
        with self._changed:
            self._changed.notify_all()

    def take(self, most: int, most_bytes: int) -> PackedItems:
        """The next paths, up to ``most``, and to the next border."""
        with self._changed:
            if self._borders:
                most = min(most, self._borders[0] - self.taken)
            packed = pack_items(self._paths[:most], most_bytes)
            self._advance(packed.length)
            return packed

    def drain(self) -> list[Any]:
        """All that was drawn."""
        with self._changed:
            paths = self._paths[:]
            self._advance(len(paths))
            return paths

    def _advance(self, count: int) -> None:
        del self._paths[:count]
        self.taken += count
        while self._borders and self._borders[0] <= self.taken:
            self._borders.popleft()
        self._changed.notify_all()

    def _keep_border(self) -> None:
        border = self.taken + len(self._paths)
        if border != (self._borders[-1] if self._borders else self.taken):
            self._borders.append(border)

    def _draw(self) -> None:
        try:
            for batch in self._batches:
                with self._changed:
                    self._paths += batch
                    if self._keeps_borders and not batch:
                        self._keep_border()
                    self._changed.wait_for(
                        lambda: len(self._paths) < self.ahead or not self._is_drawing
                    )
                    if not self._is_drawing:
                        return
        except BaseException as error:  # noqa: BLE001  (raised again in the consumer's thread)
            self.error = error
        finally:
            self.stop()
