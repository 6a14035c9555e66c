"""The directory of a run, the tree in it, and what interrupts do."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsworkers.errors import BadOption, BadSetting
from fsworkers.stress.interrupts import ENDING, Interrupted, interrupts_noted
from fsworkers.stress.model import Plan
from fsworkers.stress.workspace import (
    LEAST_BYTES,
    chain_of,
    content_of,
    is_right,
    names_of_chain,
    path_of,
    workspace,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PLAN = Plan(files=120, size_bytes=64)


def go_on() -> None:
    """Nobody interrupts."""


@pytest.fixture(autouse=True)
def handlers_as_before() -> Iterator[None]:
    """Give the handlers back, which an interrupted run keeps."""
    before = {number: signal.getsignal(number) for number in ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@given(st.integers(0, 999), st.integers(LEAST_BYTES, 500), st.data())
def test_any_change_is_noticed(number: int, size_bytes: int, data: st.DataObject) -> None:
    """Whole content is right; one byte changed, cut off, or another file's is not."""
    content = content_of(7, number, size_bytes)
    assert len(content) == size_bytes
    assert is_right(content, number)
    at = data.draw(st.integers(0, size_bytes - 1))
    assert not is_right(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :], number)
    assert not is_right(content[:at], number)
    assert not is_right(content, number + 1)


def test_the_tree_is_where_it_is_looked_for(parent: Path) -> None:
    """Every file and every chain of directories is there, and nothing afterwards."""
    with workspace(PLAN, go_on) as folder:
        for number in (0, 99, 100, 119):
            with open(path_of(folder, number), "rb") as file:
                assert is_right(file.read(), number)
        top = chain_of(folder, 3)
        paths = [os.path.join(under, name) for under, _, names in os.walk(top) for name in names]
        assert {os.path.relpath(path, top) for path in paths} == names_of_chain()
    assert not list(parent.iterdir())


def test_what_does_not_fit_is_refused(parent: Path) -> None:
    """More than any disk holds is refused before anything is made."""
    plan = Plan(files=10**9, size_bytes=1 << 30)
    with pytest.raises(BadOption, match="--files and --size"), workspace(plan, go_on):
        pass
    assert not list(parent.iterdir())


def test_a_refused_run_is_not_kept(parent: Path) -> None:
    """What is kept is told; a run that could not be leaves nothing, even if asked to."""
    told: list[str] = []
    with workspace(PLAN, go_on, told.append) as folder:
        pass
    assert told == [folder]
    shutil.rmtree(folder)
    with pytest.raises(BadSetting), workspace(PLAN, go_on, told.append):
        raise BadSetting("it", 1, "another")
    assert not list(parent.iterdir())


@pytest.mark.parametrize("number", ENDING)
def test_an_interrupt_ends_the_making_of_the_tree(number: signal.Signals, parent: Path) -> None:
    """Where nothing is half done; the first counts, and the removal is not interrupted."""

    def make() -> None:
        with interrupts_noted() as obey:

            def interrupted() -> None:
                signal.raise_signal(number)
                obey()

            with workspace(PLAN, interrupted):
                pytest.fail("it went on")

    with pytest.raises(Interrupted) as caught:
        make()
    signal.raise_signal(number)
    assert caught.value.number == number
    assert not list(parent.iterdir())


def test_one_that_comes_at_the_end_is_obeyed() -> None:
    """The end of the block looks, too."""
    with pytest.raises(Interrupted), interrupts_noted():
        signal.raise_signal(signal.SIGTERM)


def test_what_was_ignored_stays_ignored() -> None:
    """As SIGHUP is under nohup; the others are as before afterwards."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    before = signal.getsignal(signal.SIGTERM)
    with interrupts_noted():
        signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before
