"""A scan that is drawn ahead of the pool, so that a person soon learns how much there is to do.

The pool draws only what it is about to run. That is right for memory, and leaves the total unknown
until shortly before the end. Where somebody looks on, a thread scans on, though not without bound.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from fsworkers.model import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fsworkers.journal.selection import Unchanged

MOST_AHEAD = 200_000
"""Files that may wait here: some 30 MB of paths."""


MOST_JOIN_S = 0.5
"""A scan that waits for a list from stdin is not waited for without end."""


class ScanAhead:
    """Passes on what a scan finds, in order, and counts it when it is found.

    It is iterated over once; whoever ends early must ``close`` it.

    Args:
        found: What the scan finds.

    Attributes:
        file_count: Files found so far.
        has_ended: Whether that is all of them.
    """

    def __init__(self, found: Iterable[list[str] | Entry | Unchanged]) -> None:
        self.file_count = 0
        self.has_ended = False
        self._found = found
        self._waiting: deque[list[str] | Entry | Unchanged] = deque()
        self._waiting_count = 0
        self._error: Exception | None = None
        self._is_over = False
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()

    def __iter__(self) -> Iterator[list[str] | Entry | Unchanged]:
        """Yield what is found.

        Raises:
            Exception: Whatever the scan raised, after what it had found before.
        """
        self._thread = threading.Thread(target=self._scan, name="fsworkers-scan", daemon=True)
        self._thread.start()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_over)
                if not self._waiting:
                    break
                one = self._waiting.popleft()
                self._waiting_count -= _count(one)
                self._changed.notify_all()
            yield one
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Scan no further; what the scan looks things up in may be closed afterwards."""
        self._end()
        if self._thread is not None:
            self._thread.join(MOST_JOIN_S)

    def _end(self) -> None:
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def _scan(self) -> None:
        try:
            for one in self._found:
                with self._changed:
                    self._changed.wait_for(
                        lambda: self._waiting_count < MOST_AHEAD or self._is_over
                    )
                    if self._is_over:
                        return
                    self.file_count += _count(one)
                    self._waiting_count += _count(one)
                    self._waiting.append(one)
                    self._changed.notify_all()
            self.has_ended = True
        except Exception as error:  # noqa: BLE001  (it is raised where it is waited for)
            self._error = error
        finally:
            self._end()


def _count(one: list[str] | Entry | Unchanged) -> int:
    if isinstance(one, list):
        return len(one)
    return 1 if isinstance(one, Entry) else len(one.paths)
