"""Which node has which blocks: every file has one outcome, whatever nodes do."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from fsworkers.engines.allotment import MOST_TRIES, Allotment, Piece
from fsworkers.engines.spans import extent
from fsworkers.engines.supply import Supply
from fsworkers.pool.actions import Conclude, Record
from fsworkers.pool.blocks import Block
from fsworkers.pool.payload import pack_items
from fsworkers.pool.wire import NO_DESCRIPTORS, Answer

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable

TURNS = 5000
"""More than any of these runs takes."""


def done(count: int) -> list[Record | Conclude]:
    """What a node tells of a block that it has done."""
    answer = Answer(0, 0, 0, count, 0, 0.01 * count, [], NO_DESCRIPTORS)
    return [Record(Block(0, 0, range(count)), answer, [b""])]


def paths(count: int) -> list[str]:
    """So many paths."""
    return [f"{number}" for number in range(count)]


def drawn(items: list[str]) -> Supply:
    """A supply that has drawn them all."""
    supply = Supply([items[:7], items[7:]], keeps_borders=False)
    while supply.left is None:
        supply.want(len(items))
    return supply


class Cluster:
    """Nodes that come, go, refuse and answer as chance has it, and die with certain files."""

    def __init__(
        self, allotment: Allotment, chance: random.Random, killers: Iterable[str], *, calm: bool
    ) -> None:
        self.allotment = allotment
        self.nodes = {"a": 2, "b": 1}
        self.told: list[Record | Conclude] = []
        self._chance = chance
        self._killers = {*killers}
        self._calm = calm
        self._out: dict[int, tuple[Piece, str]] = {}
        self._refusals = 0
        self._look()

    def turn(self) -> None:
        """Do one thing."""
        for number, piece, node in self.allotment.due():
            assert node in self.nodes
            self._out[number] = piece, node
        what = self._chance.random()
        if not self._calm and what < 0.05:
            self.nodes[f"n{self._chance.random()}"] = 2
            self._look()
        elif not self._calm and what < 0.1 and len(self.nodes) > 1:
            self._lose(self._chance.choice([*self.nodes]))
        elif self._out:
            self._answer(self._chance.choice([*self._out]))

    def _answer(self, number: int) -> None:
        piece, node = self._out[number]
        if self._killers.intersection(piece.packed.items()):
            self._lose(node)
            self.nodes[f"{node}'"] = 2
            self._look()
            return
        del self._out[number]
        assert self.allotment.node_of(number) == node
        if piece.tries == 0 and self._chance.random() < 0.1:
            assert self.allotment.refused(number)
        else:
            all_done = self._chance.random() < 0.8
            length = piece.length if all_done else self._chance.randint(1, piece.length)
            settled = done(length)
            if length < piece.length and self._chance.random() < 0.5:
                number, _ = self.allotment.given_back(number, length=length, done=1)
            elif self._chance.random() < 0.05:
                settled, length = [], 0
            self.told += self.allotment.ended(number, settled, length=length, busy_s=0.01)

    def _lose(self, node: str) -> None:
        del self.nodes[node]
        self._look()

    def _look(self) -> None:
        gone = self.allotment.see(self.nodes)
        assert {*gone} == {
            number for number, (_, node) in self._out.items() if node not in self.nodes
        }
        for number in gone:
            del self._out[number]
            self.told += self.allotment.died(number)


@settings(max_examples=200)
@given(
    st.integers(0, 300),
    st.sets(st.integers(0, 299).map(str), max_size=3),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_files_that_nodes_die_with_are_blamed_alone(
    count: int, killers: set[str], ordered: bool, chance: random.Random
) -> None:
    """All others are done, each once, and in order where that is wanted."""
    items = paths(count)
    allotment = Allotment(drawn(items), ordered=ordered)
    cluster = Cluster(allotment, chance, killers, calm=True)
    for _ in range(TURNS):
        if allotment.is_over:
            break
        cluster.turn()
    assert allotment.is_over
    outcomes = [
        (index, isinstance(one, Record)) for one in cluster.told for index in range(*extent(one))
    ]
    assert sorted(outcomes) == [(n, f"{n}" not in killers) for n in range(count)]
    assert not ordered or outcomes == sorted(outcomes)
    for one in cluster.told:
        assert list(one.block.items) == items[slice(*extent(one))]


@settings(max_examples=200)
@given(st.integers(0, 300), st.booleans(), st.integers(0, 40), st.randoms(use_true_random=False))
def test_nodes_come_and_go(
    count: int, ordered: bool, cancelled_at: int, chance: random.Random
) -> None:
    """Each file has one outcome; if the run is cancelled in the midst of it too."""
    supply = drawn(paths(count))
    allotment = Allotment(supply, ordered=ordered)
    cluster = Cluster(allotment, chance, [], calm=False)
    for turn in range(TURNS):
        if allotment.is_over:
            break
        if turn >= cancelled_at > 20:
            supply.stop()
            cluster.told += allotment.cancel()
        cluster.turn()
    assert allotment.is_over
    told = [index for one in cluster.told for index in range(*extent(one))]
    assert Counter(told) == Counter(range(count))
    assert not ordered or told == [*range(count)]


def test_what_a_node_died_with_has_the_next_one_to_itself() -> None:
    """So nothing else is suspected if that dies too."""
    allotment = Allotment(drawn(paths(100)), ordered=False)
    allotment.see({"a": 1, "b": 1})
    lost = {number: piece for number, piece, node in allotment.due() if node == "a"}
    assert len(lost) == 2
    assert {*allotment.see({"b": 1, "c": 1, "d": 1})} == {*lost}
    for number in lost:
        assert allotment.died(number) == []
    alone = {node: piece.first for _, piece, node in allotment.due()}
    assert sorted(alone) == ["c", "d"]
    assert {*alone.values()} == {piece.first for piece in lost.values()}
    assert [*allotment.due()] == []


def test_a_block_is_divided_by_its_root() -> None:
    """Two divisions are enough for any size."""
    piece = Piece(5, pack_items(paths(100), 10**6), deaths=1)
    parts = piece.parts()
    assert [(part.first, part.length) for part in parts] == [(5 + 10 * n, 10) for n in range(10)]
    assert [one for part in parts for one in part.packed.items()] == piece.packed.items()
    assert [part.length for part in Piece(0, pack_items(paths(4), 10**6)).parts()] == [1] * 4


def test_a_block_that_no_node_can_run_is_given_up() -> None:
    """After a few tries."""
    allotment = Allotment(drawn(["x"]), ordered=False)
    allotment.see({"a": 1})
    for left in reversed(range(MOST_TRIES)):
        ((number, _, _),) = allotment.due()
        assert allotment.refused(number) == (left > 0)


def test_what_a_node_gives_back_goes_out_again_in_parts() -> None:
    """As large as is right by then, and to whoever has room."""
    allotment = Allotment(drawn(paths(1000)), ordered=False)
    allotment.see({"a": 1, "b": 1})
    (number, piece, _), *_ = allotment.due()
    assert (piece.first, piece.length) == (0, 250)  # half of its part: there is more to come
    assert allotment.ended(number, done(2), length=2, busy_s=20.0)
    again = [piece for _, piece, _ in allotment.due()]
    assert [(piece.first, piece.length) for piece in again] == [(2, 1)]
    assert again[0].packed.items() == ["2"]
    assert allotment.node_of(number) is None
    assert not allotment.is_over


def test_blocks_are_no_longer_than_a_quarter_of_what_was_done() -> None:
    """As long as it is not known how much is left, within what a block may be."""
    supply = Supply([paths(200_000), ["x"]], keeps_borders=False)
    while not len(supply):
        pass
    allotment = Allotment(supply, ordered=False)
    allotment.see({"a": 1})
    sizes: list[int] = []
    while len(sizes) < 40:
        for number, piece, _ in [*allotment.due()]:
            sizes.append(piece.length)
            allotment.ended(
                number, done(piece.length), length=piece.length, busy_s=piece.length / 1000
            )
    assert sizes[:3] == [1024, 1024, 512]
    assert sizes[2:] == sorted(sizes[2:])
    assert sizes[-1] == 2000
