"""Values, failures and settings on their way between processes."""

from __future__ import annotations

import errno
import os
import pickle
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsworkers.errors import BadSetting, UnpicklableValue
from fsworkers.graceful.patching.import_retry import refusal
from fsworkers.pool import wire
from fsworkers.pool.payload import (
    PACKED_LIST,
    Packed,
    pack,
    pack_items,
    pack_values,
    unpack,
    unpack_items,
    unpack_values,
)
from fsworkers.pool.retry import delay_s, is_starved, is_transient
from fsworkers.pool.settings import PoolSettings

numbers = st.booleans() | st.integers() | st.floats(allow_nan=False)
SECRET = bytes(range(wire.SECRET_BYTES))

plain = st.none() | numbers | st.text() | st.binary()


values = st.recursive(plain, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@given(values)
def test_values_come_back_as_they_were(value: Any) -> None:
    """Whatever is packed is the same when unpacked, also after a column."""
    (column,) = unpack_values(pack_values([pack(value)]))
    assert unpack(column) == value


@given(st.lists(values | st.text(), min_size=1, max_size=20), st.integers(1, 200))
def test_items_come_back_as_they_were(items: list[Any], most_bytes: int) -> None:
    """Whatever they are: as many as a block holds, at least one, in order, none twice."""
    back: list[Any] = []
    while len(back) < len(items):
        kind, frame, count = pack_items(items[len(back) :], most_bytes)
        assert count >= 1
        unpacked = unpack_items(kind, frame)
        assert len(unpacked) == count
        back += map(unpack, unpacked) if kind == PACKED_LIST else unpacked
    assert back == items
    assert list(map(type, back)) == list(map(type, items))


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=50), min_size=1), st.integers(1, 99))
def test_blocks_of_texts_are_bounded_by_bytes(items: list[str], most_bytes: int) -> None:
    """Only a single one goes over what a block may hold."""
    _, frame, count = pack_items(items, most_bytes)
    assert count == 1 or len(frame) <= most_bytes or "\0" in "".join(items)


def test_item_that_cannot_travel_ends_the_block_before_it() -> None:
    """What is before it goes; where it is the first, that is its failure."""
    lock = threading.Lock()
    assert pack_items([[1], [2], lock, [3]], 1000).length == 2
    with pytest.raises(UnpicklableValue, match="type lock"):
        pack_items([lock, [3]], 1000)


def test_plain_values_are_not_wrapped() -> None:
    """Paths cost nothing: they travel as they are."""
    assert pack("path") == "path"
    assert type(pack(["path"])) is Packed


def test_unpicklable_value_says_its_type() -> None:
    """The error names what could not travel."""
    with pytest.raises(UnpicklableValue, match="type lock"):
        pack(threading.Lock())


@pytest.mark.parametrize("name", [b"\xff\n", b"", b"a\0b", "\ud800".encode(errors="surrogatepass")])
def test_odd_names_survive(name: bytes) -> None:
    """Bytes that are no UTF-8, nothing at all, what no name can hold, half a character."""
    text = name.decode(errors="surrogateescape")
    kind, frame, _ = pack_items([text, "plain"], 1000)
    assert unpack_items(kind, frame) == [text, "plain"]
    kind, frame, _ = pack_items(["\ud800"], 1000)
    assert unpack_items(kind, frame) == ["\ud800"]


@given(st.lists(st.integers(0, wire.INLINE_BYTES).map(bytes), max_size=3))
def test_frames_come_back_as_they_were(frames: list[bytes]) -> None:
    """Small ones travel within the header, large ones beside it."""
    parts = wire.encode(wire.Ready(3), SECRET, frames)
    message, back = wire.decode(parts, SECRET) or (None, ())
    assert (message, [*back]) == (wire.Ready(3), frames)


class Tripwire:
    """Unpickling it makes a directory."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("prefix", [b"", b"x", b"x" * wire.SECRET_BYTES])
def test_nothing_foreign_is_unpickled(prefix: bytes, tmp_path: Path) -> None:
    """A frame without the pool's secret is dropped unread."""
    made = tmp_path / "made"
    assert wire.decode([prefix + pickle.dumps((Tripwire(str(made)), ()))], SECRET) is None
    assert not made.exists()
    wire.decode([SECRET + pickle.dumps((Tripwire(str(made)), ()))], SECRET)
    assert made.exists()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.EBUSY, ""), True),
        (OSError(errno.EIO, ""), True),
        (OSError(errno.ENOENT, ""), False),
        (OSError(errno.EACCES, ""), False),
        (ConnectionResetError("passing"), True),
        (ValueError("x"), False),
        (KeyError("x"), False),
        (RuntimeError("x"), True),
    ],
)
def test_what_is_worth_another_attempt(error: BaseException, expected: bool) -> None:
    """Failures that may pass are, errors of program or content are not."""
    assert is_transient(error) is expected


def test_starvation_is_told_from_failure() -> None:
    """EMFILE and ENFILE are no fault of the job."""
    assert is_starved(OSError(errno.EMFILE, ""))
    assert is_starved(OSError(errno.ENFILE, ""))
    assert not is_starved(OSError(errno.ENOSPC, ""))


def test_starvation_is_seen_behind_what_a_library_makes_of_it() -> None:
    """The dynamic linker has words only, and others say what the cause was."""
    linker = f"x.so: cannot open shared object file: {os.strerror(errno.EMFILE)}"
    assert refusal(ImportError(linker)) == errno.EMFILE
    assert refusal(ImportError("No module named 'x'")) == 0
    wrapped = RuntimeError("can't read the archive")
    wrapped.__cause__ = OSError(errno.ENFILE, "")
    assert refusal(wrapped) == errno.ENFILE
    wrapped.__cause__ = OSError(errno.ENOENT, "")
    assert refusal(wrapped) == 0


def test_delays_grow_to_a_bound() -> None:
    """A retry waits at random, up to a bound that doubles, and never longer than 10 s."""
    assert all(0 <= delay_s(1) <= 0.2 for _ in range(50))
    assert all(0 <= delay_s(30) <= 10 for _ in range(50))
    assert max(delay_s(8) for _ in range(50)) > 1


def test_defaults_need_no_setting() -> None:
    """One worker for each usable processor, and time enough to start them."""
    settings = PoolSettings()
    assert settings.worker_count >= 1
    assert settings.ready_s > 10
    with pytest.raises(BadSetting, match="grace is -1"):
        PoolSettings(grace=-1)
