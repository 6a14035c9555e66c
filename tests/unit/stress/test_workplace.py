"""The directories of a run, and what interrupts do to them."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import tempfile
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from fsworkers.errors import BadSetting
from fsworkers.stress.errors import NoSpace
from fsworkers.stress.interrupts import ENDING, Interrupted, interrupts_as_exception
from fsworkers.stress.records import Plan
from fsworkers.stress.space import full_disk_told
from fsworkers.stress.workplace import LONGEST_BYTES, workplace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PLAN = Plan(files=2, size_bytes=64)


@pytest.fixture(autouse=True)
def handlers_as_before() -> Iterator[None]:
    """Give the handlers back, which an interrupted run leaves ignoring."""
    before = {number: signal.getsignal(number) for number in ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@contextmanager
def raised(*numbers: int) -> Iterator[None]:
    """Raise signals at the end of a block, however it ends."""
    try:
        yield
    finally:
        for number in numbers:
            signal.raise_signal(number)


def test_only_the_first_interrupt_counts() -> None:
    """It unwinds what runs; those that come while things are cleared away do nothing."""
    with pytest.raises(Interrupted) as caught, interrupts_as_exception(), raised(*ENDING):
        signal.raise_signal(signal.SIGTERM)
    assert caught.value.number == signal.SIGTERM


def test_one_that_strikes_in_a_finalizer_comes_again() -> None:
    """Nothing is raised out of there; and those that follow the first are ignored."""

    class Finalized:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGTERM)

    def work() -> None:
        Finalized()
        threading.Event().wait(5)

    with pytest.raises(Interrupted) as caught, interrupts_as_exception():
        work()
    assert caught.value.number == signal.SIGTERM


def test_what_was_ignored_stays_ignored() -> None:
    """As SIGHUP is under nohup; the others are as before afterwards."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    before = signal.getsignal(signal.SIGTERM)
    with interrupts_as_exception():
        signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("number", ENDING)
def test_the_removal_is_not_interrupted(
    number: signal.Signals, parent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal that comes in the middle of it leaves nothing behind."""
    remove = shutil.rmtree

    def interrupted(folder: str, *, ignore_errors: bool) -> None:
        signal.raise_signal(number)
        remove(folder, ignore_errors=ignore_errors)

    monkeypatch.setattr(shutil, "rmtree", interrupted)
    with interrupts_as_exception(), workplace(PLAN) as place:
        assert os.path.isdir(place.folder)
    assert not list(parent.iterdir())


def test_a_refused_run_is_not_kept(parent: Path) -> None:
    """What is kept is told; a run that could not be leaves nothing, even if asked to."""
    told: list[str] = []
    with interrupts_as_exception(), workplace(PLAN, told.append) as place:
        pass
    assert told == [place.folder]
    shutil.rmtree(place.folder)
    with pytest.raises(BadSetting), workplace(PLAN, told.append):
        raise BadSetting("it", 1, "another")
    assert not list(parent.iterdir())


def test_sockets_fit_into_an_address(
    parent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below a long path they have a directory elsewhere, which is removed as well."""
    long = tmp_path / ("x" * LONGEST_BYTES)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with interrupts_as_exception(), workplace(PLAN) as place:
        assert place.temporary != place.folder
        assert len(place.temporary) < LONGEST_BYTES
    assert not os.path.lexists(place.temporary)
    assert not list(long.iterdir())
    assert list(parent.iterdir()) == [long]


def test_a_disk_that_fills_up_is_told(tmp_path: Path) -> None:
    """In the middle of a run as before it."""
    with pytest.raises(NoSpace, match="the run needs more"), full_disk_told(str(tmp_path)):
        raise OSError(errno.ENOSPC, "no")
    with pytest.raises(PermissionError), full_disk_told(str(tmp_path)):
        raise PermissionError(errno.EACCES, "no")
