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
from fsworkers.graceful.imports import refusal
from fsworkers.pool import wire
from fsworkers.pool.actions import Row
from fsworkers.pool.payload import Packed, pack, size_of, unpack
from fsworkers.pool.retry import delay_s, is_starved, is_transient
from fsworkers.pool.settings import PoolSettings

numbers = st.booleans() | st.integers() | st.floats(allow_nan=False)
SECRET = bytes(range(wire.SECRET_BYTES))

plain = st.none() | numbers | st.text() | st.binary()


@given(st.recursive(plain, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_values_come_back_as_they_were(value: Any) -> None:
    """Whatever is packed is the same when unpacked, also after a message."""
    message = wire.decode(wire.encode(wire.Block(0, [1], [pack(value)]), SECRET), SECRET)
    assert unpack(message.items[0]) == value


@given(
    st.lists(
        st.integers(0, 2 * wire.MESSAGE_BYTES).map(bytes)
        | st.integers(0, 2 * wire.MESSAGE_BYTES).map(lambda size: pack([bytes(size)]))
        | st.text()
        | numbers,
        max_size=8,
    )
)
def test_large_results_are_divided_into_messages(values: list[Any]) -> None:
    """None is lost, all keep their order, and only the last of a message goes over its size."""
    rows: list[Row] = [(job, value, None, None, 0.0, None) for job, value in enumerate(values)]
    messages = list(wire.messages_of(rows))
    assert [row for message in messages for row in message] == rows
    sizes = [[size_of(row[1]) for row in message] for message in messages]
    assert all(sum(message[:-1]) < wire.MESSAGE_BYTES for message in sizes)
    assert all(sum(message) >= wire.MESSAGE_BYTES for message in sizes[:-1])


def test_plain_values_are_not_wrapped() -> None:
    """Paths cost nothing: they travel as they are."""
    assert pack("path") == "path"
    assert type(pack(["path"])) is Packed


def test_unpicklable_value_says_its_type() -> None:
    """The error names what could not travel."""
    with pytest.raises(UnpicklableValue, match="type lock"):
        pack(threading.Lock())


def test_names_that_are_not_utf8_survive() -> None:
    """A surrogate in a path is kept through a message."""
    name = b"\xff\n".decode(errors="surrogateescape")
    frame = wire.encode(wire.Block(0, [1], [name]), SECRET)
    assert wire.decode(frame, SECRET).items == [name]


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
    assert wire.decode(prefix + pickle.dumps(Tripwire(str(made))), SECRET) is None
    assert not made.exists()
    wire.decode(SECRET + pickle.dumps(Tripwire(str(made))), SECRET)
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
