"""Which node of a cluster has which blocks of a run, and what becomes of those that nodes die with.

Decides, and does nothing: knows no Dask, no clock and no sockets. Each node has two blocks, which
overlap. What a node has died with goes on alone, on a node that it has to itself: if that dies too
it is divided, until the file that does it is by itself. What a node gives back, because it has not
come to it in time, goes out again to whoever has room.
"""

from __future__ import annotations

import heapq
import sys
from itertools import count
from math import isqrt
from typing import TYPE_CHECKING, NamedTuple

from fsworkers.engines.spans import placed
from fsworkers.engines.supply import MOST_AHEAD
from fsworkers.pool.actions import Conclude, Record
from fsworkers.pool.blocks import Block
from fsworkers.pool.failures import CANCELLED, Failure
from fsworkers.pool.pace import Pace
from fsworkers.pool.payload import PackedItems, pack_items

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fsworkers.engines.supply import Supply

BLOCK_S = 2.0
"""A block is about so much work of a node: long against what Dask takes for a task (some ms)."""

EARLY_S = 0.2
"""A block is no more work than this, or than a quarter of what its node has done so far: while it
is not known how much is left, the run may end any time, and nodes are to end together."""

LEAST_S = 0.05
"""Nor is it less at the end: it takes some 30 ms until the next one is there."""

PATIENCE = 3
"""A node gives back what it has not come to after so many times a block's work."""

FIRST = 1024
"""Files of a node's first block, a part of what there is at most: what is too much comes back, and
the node's pool finds out in small blocks of its own what files take."""

GROWTH = 64
"""How many times as large as what is known of a node its next block may be."""

BLOCK_BYTES = 1 << 20
IN_FLIGHT_BYTES = 1 << 28
"""Paths of a block, and of all blocks that nodes have at one time, as the client keeps them."""

NODES_AT_EASE = 200
"""With more nodes than that blocks are larger in proportion: one client looks at each of them."""

MOST_EARLY = 4
"""So many blocks a node may have ended, in an ordered run, before one that is still under way."""

MOST_ALONE = 4
"""Files of a divided block that are each a part of their own."""

MOST_TRIES = 3
"""So often a block is sent to nodes that can't run it."""


class Piece(NamedTuple):
    """A block of the run, with what is known of its way.

    Attributes:
        first: Index of its first item in the run.
        packed: Its items.
        deaths: How often a node died with it, or with what it was a part of.
        tries: How often a node could not run it.
    """

    first: int
    packed: PackedItems
    deaths: int = 0
    tries: int = 0

    @property
    def length(self) -> int:
        """How many items it has."""
        return self.packed.length

    def cut(self, length: int) -> tuple[Piece, Piece]:
        """So many of its items, and the others."""
        items = self.packed.items()
        head, tail = (pack_items(part, sys.maxsize) for part in (items[:length], items[length:]))
        return self._replace(packed=head), self._replace(first=self.first + length, packed=tail)

    def parts(self) -> list[Piece]:
        """The same in as many parts as each has files: after two divisions all are alone."""
        items = self.packed.items()
        size = isqrt(len(items) - 1) + 1 if len(items) > MOST_ALONE else 1
        starts = range(0, len(items), size)
        most_bytes = len(self.packed.frame)
        packed = [pack_items(items[start : start + size], most_bytes) for start in starts]
        return [
            Piece(self.first + start, part, deaths=1)
            for start, part in zip(starts, packed, strict=True)
        ]


class _Node:
    """What a node has, and how fast it is."""

    __slots__ = ("address", "files", "is_solo", "pace", "pieces", "work_s")

    def __init__(self, address: str, slots: int) -> None:
        self.address = address
        self.pace = Pace(slots, BLOCK_S, GROWTH, first=FIRST, least_s=LEAST_S)
        self.work_s = 0.0
        self.is_solo = False
        self.pieces = 0
        self.files = 0

    @property
    def has_room(self) -> bool:
        """Two blocks overlap; where they are of few files, each slot has one at hand."""
        return self.pieces < 2 or self.files < 2 * self.pace.slots

    def give(self, piece: Piece) -> None:
        self.pieces += 1
        self.files += piece.length

    def take_back(self, piece: Piece) -> None:
        self.pieces -= 1
        self.files -= piece.length
        self.is_solo = False

    def learn(self, count: int, busy_s: float) -> None:
        self.pace.learn(count, busy_s)
        self.work_s += busy_s / self.pace.slots

    def block_items(self, left: int | None, found: int, nodes: int, block_s: float) -> int:
        """How large its next block should be, by how much is left, or at least found."""
        if left is None and self.pace.item_s is None:
            left = found
        self.pace.block_s = min(block_s, max(EARLY_S, self.work_s / 4))
        return min(self.pace.block_items(left, nodes), MOST_AHEAD)


class Allotment:
    """The blocks of a run over a cluster.

    Args:
        supply: What is still to be done.
        ordered: Whether what became of items is told in their order.
        max_deaths: So often a node dies with a file before that is taken for the reason.
    """

    def __init__(self, supply: Supply, *, ordered: bool, max_deaths: int = 3) -> None:
        self._supply = supply
        self._max_deaths = max_deaths
        self._ordered = ordered
        self._nodes: dict[str, _Node] = {}
        self._out: dict[int, tuple[Piece, _Node]] = {}
        self._numbers = count()
        self._again: list[Piece] = []
        self._suspects: list[Piece] = []
        self._early: list[tuple[int, int, list[Record | Conclude]]] = []
        self._next_told = 0
        self._path_bytes = 0.0

    @property
    def is_over(self) -> bool:
        """Whether everything is settled."""
        return self._supply.is_over and not (self._out or self._again or self._suspects)

    @property
    def files_out(self) -> int:
        """How many files nodes have."""
        return sum(piece.length for piece, _ in self._out.values())

    @property
    def patience_s(self) -> float:
        """After so long, a node is to give back what it has not come to."""
        return PATIENCE * self._block_s

    @property
    def _block_s(self) -> float:
        return BLOCK_S * max(1.0, len(self._nodes) / NODES_AT_EASE)

    def node_of(self, number: int) -> str | None:
        """The address of the node that has a block; ``None`` if it is not waited for any more."""
        out = self._out.get(number)
        return None if out is None else out[1].address

    def see(self, nodes: Mapping[str, int]) -> list[int]:
        """Take note of which nodes there are.

        Args:
            nodes: How many files each runs at one time.

        Returns:
            The blocks of those that have gone: of each, ``died`` is to be called.
        """
        known = self._nodes
        self._nodes = {
            address: known.get(address) or _Node(address, slots) for address, slots in nodes.items()
        }
        return [number for number, (_, node) in self._out.items() if node.address not in nodes]

    # What goes out

    def due(self) -> Iterator[tuple[int, Piece, str]]:
        """Give every node blocks until it has enough: number, block, address."""
        is_one_kept_free = False
        for node in sorted(self._nodes.values(), key=lambda one: one.pieces):
            if node.is_solo:
                continue
            if self._suspects and not node.pieces:
                node.is_solo = True
                yield self._put_out(self._suspects.pop(), node)
            elif self._suspects and not is_one_kept_free:
                is_one_kept_free = True  # it gets nothing until it has nothing
            else:
                while node.has_room and (piece := self._next_piece(node)) is not None:
                    yield self._put_out(piece, node)

    def _put_out(self, piece: Piece, node: _Node) -> tuple[int, Piece, str]:
        number = next(self._numbers)
        self._out[number] = piece, node
        node.give(piece)
        return number, piece, node.address

    def _next_piece(self, node: _Node) -> Piece | None:
        nodes, supply = len(self._nodes), self._supply
        again = sum(piece.length for piece in self._again)
        left = None if supply.left is None else supply.left + again
        wanted = node.block_items(left, len(supply) + again, nodes, self._block_s)
        if self._again:
            piece = self._again.pop()
            if piece.length > wanted:
                piece, rest = piece.cut(wanted)
                self._again.append(rest)
            return piece
        if self._ordered and len(self._early) > MOST_EARLY * nodes:
            return None  # the one that all of them wait for is under way
        most_bytes = min(BLOCK_BYTES, IN_FLIGHT_BYTES // (2 * nodes))
        if self._path_bytes:
            wanted = max(1, min(wanted, int(most_bytes / self._path_bytes)))
        supply.want(2 * wanted * nodes)
        if not len(supply) or (node.pieces and left is None and len(supply) < wanted):
            return None
        first, packed = supply.taken, supply.take(wanted, most_bytes)
        self._path_bytes = len(packed.frame) / packed.length
        return Piece(first, packed)

    # What comes back

    def ended(
        self, number: int, settled: Iterable[Record | Conclude], *, length: int, busy_s: float
    ) -> list[Record | Conclude]:
        """Take what became of a block, and give what is to be told now.

        Args:
            number: The block's.
            settled: What its node tells, with indices within the block. Items are put to it.
            length: How many of its items that tells of; the others are given back.
            busy_s: How long they took in all.
        """
        piece, node = self._take_back(number)
        if not length:
            self._send_again(piece)
            return []
        if length < piece.length:
            piece, rest = piece.cut(length)
            self._send_again(rest)
        node.learn(length, busy_s)
        items = piece.packed.items()
        return self._told(piece, [placed(one, piece.first, items) for one in settled])

    def given_back(self, number: int, *, length: int, done: int) -> tuple[int, str]:
        """Take what a node gives back of a block that goes on there without.

        Args:
            number: The block's.
            length: How many of its items go on.
            done: How many of these have ended.

        Returns:
            The number that it has from now on, and the node.
        """
        is_solo = self._out[number][1].is_solo
        whole, node = self._take_back(number)
        piece, rest = whole.cut(length)
        self._send_again(rest)
        # So the node gets few more files, until it is known how long these took.
        node.learn(max(1, done), self.patience_s * node.pace.slots)
        number, _, address = self._put_out(piece, node)
        node.is_solo = is_solo
        return number, address

    def _send_again(self, piece: Piece) -> None:
        (self._suspects if piece.deaths else self._again).append(piece)

    def died(self, number: int) -> list[Record | Conclude]:
        """Take a block whose node is gone, and give what is to be told now."""
        piece, _ = self._take_back(number)
        deaths = piece.deaths + 1
        if deaths == 1 or (piece.length == 1 and deaths < self._max_deaths):
            self._suspects.append(piece._replace(deaths=deaths))
            return []
        if piece.length > 1:
            self._suspects += reversed(piece.parts())
            return []
        failure = Failure(f"its node died {deaths} times while it ran")
        block = Block(0, piece.first, piece.packed.items())
        return self._told(piece, [Conclude(block, "crashed", failure, None, deaths)])

    def refused(self, number: int) -> bool:
        """Take a block that its node could not run; ``False`` if that was once too often."""
        piece, _ = self._take_back(number)
        self._again.append(piece._replace(tries=piece.tries + 1))
        return piece.tries + 1 < MOST_TRIES

    def _take_back(self, number: int) -> tuple[Piece, _Node]:
        piece, node = self._out.pop(number)
        node.take_back(piece)
        return piece, node

    def cancel(self) -> list[Record | Conclude]:
        """Let nothing more go out, and give what is to be told now."""
        waiting = [*self._again, *self._suspects]
        self._again, self._suspects = [], []
        first, items = self._supply.taken, self._supply.drain()
        if items:
            waiting.append(Piece(first, pack_items(items, sys.maxsize)))
        told: list[Record | Conclude] = []
        for piece in waiting:
            block = Block(0, piece.first, piece.packed.items())
            told += self._told(piece, [Conclude(block, "cancelled", CANCELLED)])
        return told

    def _told(self, piece: Piece, settled: list[Record | Conclude]) -> list[Record | Conclude]:
        """What is to be told now that this is known."""
        if not self._ordered:
            return settled
        heapq.heappush(self._early, (piece.first, piece.length, settled))
        due: list[Record | Conclude] = []
        while self._early and self._early[0][0] == self._next_told:
            _, length, settled = heapq.heappop(self._early)
            self._next_told += length
            due += settled
        return due
