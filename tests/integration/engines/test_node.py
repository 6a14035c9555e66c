"""A node's pool, without a cluster: what it runs of a block, and what it gives back."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from fsworkers.engines.node import (
    RESULT_BYTES,
    BlockDropped,
    Node,
    NodeBlock,
    NodeTask,
)
from fsworkers.engines.spans import extent
from fsworkers.pool.executor import Pool
from fsworkers.pool.run_block import encode_values
from fsworkers.pool.settings import PoolSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def slow(path: str) -> str:
    """A task of a twentieth of a second."""
    threading.Event().wait(0.05)
    return path


def large(_path: str) -> bytes:
    """A task with a large result."""
    return bytes(1 << 20)


def fast(path: str) -> str:
    """A task that takes no time."""
    return path


@pytest.fixture
def node() -> Iterator[Callable[[Callable[[str], object]], Node]]:
    """Makes a node for a task."""
    made: list[Node] = []

    def make(function: Callable[[str], object]) -> Node:
        settings = PoolSettings(workers=2)
        task = Pool.of(settings).task_of(function, ordered=False, encode=encode_values)
        made.append(Node(NodeTask(task, settings, b"", os.getcwd(), sys.path), 2))
        return made[-1]

    yield make
    for one in made:
        one.close()


def settled(node: Node, block: NodeBlock) -> list[int]:
    """The indices of what a block has run, once that has ended."""
    while not block.ended.wait(0.05):
        node.look(block, 0)
    assert block.error is None
    return sorted(index for one in block.settled for index in range(*extent(one)))


def test_what_takes_too_long_is_given_back(node: Callable[..., Node]) -> None:
    """At once, and all of a block behind it; what was drawn goes on."""
    here = node(slow)
    blocks = [here.begin([f"{number}" for number in range(500)], most_s=0.5) for _ in range(2)]
    while not here.look(blocks[0], 0):
        assert not blocks[0].ended.wait(0.05)
    assert (blocks[1].length, blocks[1].ended.is_set()) == (0, True)
    assert 2 <= blocks[0].length < 100
    rest = here.again(0)
    assert rest.ended.wait(10)
    assert settled(here, rest) == [*range(blocks[0].length)]
    with pytest.raises(BlockDropped):
        here.again(0)
    assert settled(here, here.begin(["x"], most_s=0.5)) == [0]


def test_what_becomes_too_large_is_given_back(node: Callable[..., Node]) -> None:
    """A node keeps no more results for its client than it may."""
    here = node(large)
    block = here.begin([f"{number}" for number in range(2000)], most_s=60.0)
    done = settled(here, block)
    assert done == [*range(block.length)]
    assert RESULT_BYTES >> 20 < block.length < 500


def test_what_goes_fast_is_run_whole(node: Callable[..., Node]) -> None:
    """Nothing of it comes back."""
    here = node(fast)
    blocks = [here.begin([f"{number}" for number in range(20_000)], most_s=60.0) for _ in range(3)]
    for block in blocks:
        assert settled(here, block) == [*range(20_000)]
