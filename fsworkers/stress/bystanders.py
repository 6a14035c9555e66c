"""Threads beside the load in a worker: one takes descriptors, one collects garbage.

The hog is code that has never heard of the layer: it takes sockets and pipes and frees them again.
It goes below whatever ``install`` replaces, as a C library would, so neither side sees it coming.
"""

from __future__ import annotations

import _socket
import gc
import posix
import threading
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fsworkers.stress.board import Board

REST_S = 0.005
LONGEST_S = 0.008


class Hog(threading.Thread):
    """Takes descriptors, holds them for some milliseconds, frees them, while a round lasts.

    Args:
        board: Says whether a round is going on.
        most: How many it takes at one time, at most.
        seed: Decides how many and for how long.
    """

    def __init__(self, board: Board, most: int, seed: int) -> None:
        super().__init__(name="hog", daemon=True)
        self._board = board
        self._most = max(2, most)
        self._random = Random(seed)
        self._never = threading.Event()

    def run(self) -> None:
        """Go on for as long as the process lives."""
        while True:
            if self._board.is_active:
                self._take_and_free(self._random.randrange(2, self._most + 1))
            self._never.wait(REST_S)

    def _take_and_free(self, count: int) -> None:
        sockets: list[_socket.socket] = []
        pipes: list[int] = []
        try:
            while len(sockets) + len(pipes) < count:
                if self._random.random() < 0.5:
                    sockets.extend(_socket.socketpair())
                else:
                    pipes.extend(posix.pipe())
        except OSError:
            pass  # nothing is left to take: even better
        self._never.wait(self._random.random() * LONGEST_S)
        for one in sockets:
            one.close()
        for number in pipes:
            posix.close(number)


class Collector(threading.Thread):
    """Collects garbage once a round is over: what was leaked must have come back by then.

    Args:
        board: Says whether a round is going on.
    """

    def __init__(self, board: Board) -> None:
        super().__init__(name="collector", daemon=True)
        self._board = board
        self._never = threading.Event()

    def run(self) -> None:
        """Go on for as long as the process lives."""
        while True:
            self._never.wait(REST_S)
            if not self._board.is_active:
                gc.collect()
                self._never.wait(10 * REST_S)
