"""``graceful.open`` against the builtin, argument by argument."""

from __future__ import annotations

import contextlib
import enum
import inspect
import io
import os
import pathlib
import re
import warnings
from pathlib import Path
from typing import Any

import pytest

from fsworkers import graceful

MODES = (
    "r rb rt r+ rb+ r+b +br tr w wb w+ wb+ a ab a+ ab+ x xb x+ xt".split()  # noqa: SIM905 - legible
)
BAD = [
    {"mode": "q"},
    {"mode": ""},
    {"mode": "rw"},
    {"mode": "rr"},
    {"mode": "rbt"},
    {"mode": "b"},
    {"mode": "rU"},
    {"mode": 5},
    {"mode": None},
    {"mode": []},
    {"mode": "rb", "encoding": "utf-8"},
    {"mode": "rb", "errors": "strict"},
    {"mode": "rb", "newline": "\n"},
    {"mode": "r", "buffering": 0},
    {"mode": "r", "newline": "x"},
    {"mode": "r", "newline": 5},
    {"mode": "r", "newline": []},
    {"mode": "r", "encoding": "no such"},
    {"mode": "r", "encoding": 5},
    {"mode": "r", "errors": 5},
    {"mode": "r", "buffering": "x"},
    {"mode": "rb", "buffering": -5},
    {"mode": "r", "closefd": False},
    {"mode": "r", "opener": 5},
    {"mode": "r", "opener": lambda name, flags: -1},
    {"mode": "r", "opener": lambda name, flags: "x"},
    {"file": 1.5},
    {"file": None},
    {"file": "with\0null"},
    {"file": "/"},
    {"file": "/missing/file"},
    {"file": 987654},
    {"file": -1},
    {"file": ""},
]


def outcome(opener, arguments) -> tuple[type, str]:
    """What an open comes to: its error's type and message."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with opener(**arguments) as file:
                return type(file), repr(file.mode)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is compared
        return type(error), str(error)


@pytest.fixture(autouse=True)
def _all_come_back():
    before = graceful.statistics().lent
    yield
    assert graceful.statistics().lent == before


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("buffering", [-1, 1, 0, 512])
def test_every_mode_is_as_the_builtin_has_it(tmp_path: Path, mode: str, buffering: int) -> None:
    """Layers, mode, name, buffering and what can be done are the builtin's."""
    seen: list[object] = []
    for opener in (open, graceful.open):
        path = tmp_path / "file"
        path.unlink(missing_ok=True)
        if "x" not in mode:
            path.write_bytes(b"one\ntwo\n")
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                with opener(path, mode, buffering) as file:
                    layers = [type(file)]
                    if hasattr(file, "buffer"):
                        layers.append(type(file.buffer))
                    seen.append((
                        layers if buffering else [],
                        isinstance(file, io.FileIO),
                        file.mode,
                        file.name,
                        file.readable(),
                        file.writable(),
                        getattr(file, "line_buffering", None),
                        getattr(file, "encoding", None),
                        file.tell(),
                        file.read() if file.readable() else None,
                        [(one.category, str(one.message), one.filename) for one in caught],
                    ))  # fmt: skip
        except ValueError as error:
            seen.append(str(error))
    assert seen[0] == seen[1]


def _without_addresses(arguments: object) -> str:
    """A name that is the same in every process."""
    return re.sub(r" at 0x\w+", "", str(arguments))


@pytest.mark.parametrize("arguments", BAD, ids=_without_addresses)
def test_a_mistake_is_told_in_the_builtins_words(
    tmp_path: Path, arguments: dict[str, object]
) -> None:
    """The same error, of the same type, with the same message."""
    path = tmp_path / "file"
    path.write_bytes(b"x")
    arguments = {"file": str(path), **arguments}
    assert outcome(graceful.open, arguments) == outcome(open, arguments)


class Texts(enum.StrEnum):
    """Text of a derived class."""

    READING = "r"
    BYTES = "rb"
    ENCODING = "utf-8"
    ERRORS = "replace"
    NEWLINE = "\n"


class Mixed(str, enum.Enum):  # noqa: UP042 - not the same: its ``str`` is the member's name
    """Text whose ``str`` is something else."""

    READING = "r"


class Number:
    """An integer that is no ``int``, as numpy's are."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value

    def __repr__(self) -> str:
        return f"Number({self.value})"


@pytest.mark.parametrize(
    "arguments",
    [
        {"mode": Texts.READING},
        {"mode": Mixed.READING},
        {"encoding": Texts.ENCODING, "errors": Texts.ERRORS, "newline": Texts.NEWLINE},
        {"buffering": Number(512)},
        {"mode": Texts.BYTES, "buffering": Number(-5)},
        {"mode": Texts.BYTES, "buffering": 0.5},
        {"mode": Texts.BYTES, "encoding": Texts.ENCODING},
        {"mode": Texts.NEWLINE},
        {"mode": Number(5)},
        {"mode": int},
    ],
    ids=str,
)
def test_text_and_numbers_of_every_kind_are_counted(
    tmp_path: Path, arguments: dict[str, Any]
) -> None:
    """Derived from ``str``, or with ``__index__``; what is wrong is told in the builtin's words."""
    (tmp_path / "file").write_bytes(b"x")
    arguments = {"file": str(tmp_path / "file"), **arguments}
    assert outcome(graceful.open, arguments) == outcome(open, arguments)
    with contextlib.suppress(TypeError, ValueError), graceful.open(**arguments) as file:
        assert graceful.statistics().lent == 1
        assert type(file.mode) is str
    unbuffered: Any = Number(0)
    with graceful.open(tmp_path / "file", Texts.BYTES, unbuffered) as file:
        assert isinstance(file, io.FileIO)
        assert graceful.statistics().lent == 1


def test_a_number_of_any_kind_hands_its_permit_to_the_file(tmp_path: Path) -> None:
    """It opens nothing, and its descriptor stays as it was told."""
    fd = graceful.os.open(tmp_path / "file", os.O_CREAT | os.O_RDWR)
    with graceful.open(Number(fd), "wb", closefd=False):
        assert graceful.statistics().lent == 1
    assert graceful.statistics().lent == 1
    with graceful.open(Number(fd), "wb"):
        assert graceful.statistics().lent == 1
    assert graceful.statistics().lent == 0


@pytest.mark.parametrize(
    "name", ["plain", b"bytes", pathlib.Path("path"), os.fsdecode(b"not\xffutf8"), b"\xfe\xff"]
)
def test_any_kind_of_name(tmp_path: Path, name, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text, bytes, path objects, names that are no UTF-8."""
    monkeypatch.chdir(tmp_path)
    with graceful.open(name, "w") as file:
        file.write("here")
    with open(name) as file:
        assert file.read() == "here"


def test_append_and_update_keep_their_positions(tmp_path: Path) -> None:
    """Text append with update starts at the end and may seek."""
    path = tmp_path / "file"
    path.write_text("begun ")
    with graceful.open(path, "a+") as file:
        assert file.tell() == 6
        file.write("ended")
        file.seek(0)
        assert file.read() == "begun ended"


def test_a_file_on_a_number_closes_it_or_not(tmp_path: Path) -> None:
    """``closefd`` decides, and neither takes a permit for what is open already."""
    fd = os.open(tmp_path / "file", os.O_CREAT | os.O_RDWR)
    with graceful.open(fd, "w", closefd=False) as file:
        file.write("x")
        assert graceful.statistics().lent == 0
    os.fstat(fd)
    graceful.open(fd, "rb").close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_a_number_with_a_permit_hands_it_to_the_file(tmp_path: Path) -> None:
    """``os.open`` counts, ``fdopen`` takes over, close gives back once."""
    fd = graceful.os.open(tmp_path / "file", os.O_CREAT | os.O_RDWR)
    assert graceful.statistics().lent == 1
    file = graceful.os.fdopen(fd, "wb")
    assert graceful.statistics().lent == 1
    file.close()
    file.close()
    assert graceful.statistics().lent == 0


def test_a_number_closed_behind_our_back_comes_back_with_its_number(tmp_path: Path) -> None:
    """When the kernel hands the number out again, the old permit is given back."""
    fd = graceful.os.open(tmp_path / "file", os.O_CREAT | os.O_RDWR)
    os.close(fd)
    again = graceful.os.open(tmp_path / "file", os.O_RDWR)
    assert again == fd
    assert graceful.statistics().lent == 1
    graceful.os.close(again)


def test_an_opener_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """Its own exception passes and the permit goes back."""

    def opener(name: str, flags: int) -> int:
        raise LookupError(name)

    with pytest.raises(LookupError):
        graceful.open("name", opener=opener)


def test_an_opener_that_is_graceful_itself_counts_once(tmp_path: Path) -> None:
    """The descriptor it opened is the file's one."""
    graceful.configure(max_open_files=1)
    try:
        with graceful.open(tmp_path / "file", "w", opener=graceful.os.open):
            assert graceful.statistics().lent == 1
    finally:
        graceful.configure()


def test_line_buffering_of_bytes_is_warned_of_before_anything_is_opened(tmp_path: Path) -> None:
    """Where warnings are errors nothing is left behind, as with the builtin."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for opener in (open, graceful.open):
            with pytest.raises(RuntimeWarning):
                opener(tmp_path / "new", "wb", buffering=1)
    assert not (tmp_path / "new").exists()


def test_the_signature_is_the_builtins() -> None:
    """Names, order and defaults."""
    ours = inspect.signature(graceful.open).parameters
    builtins = inspect.signature(open).parameters
    assert list(ours) == list(builtins)
    assert [one.default for one in ours.values()] == [one.default for one in builtins.values()]


def test_detaching_keeps_the_permit_with_the_raw_file(tmp_path: Path) -> None:
    """What holds the descriptor holds the permit."""
    (tmp_path / "file").write_text("x")
    raw = graceful.open(tmp_path / "file").detach().detach()
    assert graceful.statistics().lent == 1
    raw.close()


def test_limits_and_statistics_agree() -> None:
    """The budget shown is the one that is lent."""
    assert graceful.limits().budget == graceful.statistics().capacity


@pytest.mark.parametrize("mode", ["w", "wb", "x"])
@pytest.mark.parametrize(
    "options",
    [
        {"encoding": "utf\0"},
        {"encoding": "\ud800"},
        {"errors": "a\0"},
        {"errors": "\udc80"},
        {"buffering": 2**31},
        {"buffering": -(2**31) - 1},
        {"buffering": 2**62},
        {"buffering": -(2**70)},
        {"buffering": -1.0},
    ],
)
def test_arguments_that_the_builtin_refuses_leave_the_file_alone(
    tmp_path: Path, mode: str, options: dict[str, Any]
) -> None:
    """It looks at all of them before it opens, and so before it empties the file."""
    path = tmp_path / "file"
    path.write_bytes(b"content")
    errors = []
    for opener in (open, graceful.open):
        with pytest.raises((ValueError, TypeError, OverflowError)) as caught:
            opener(path, mode, **options)
        errors.append((type(caught.value), str(caught.value)))
        assert path.read_bytes() == b"content"
    assert errors[0] == errors[1]
