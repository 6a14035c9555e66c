"""Writing against a system that takes a part, makes wait, or refuses."""

from __future__ import annotations

import errno
import os
import pickle
import tempfile
from typing import TYPE_CHECKING

import pytest

from fsworkers.sinks import errors
from fsworkers.sinks.errors import OutputFailed, SinkError
from fsworkers.sinks.output import Output

if TYPE_CHECKING:
    from collections.abc import Iterator


class ScriptedFile:
    """A raw file whose writes follow a script: a count to take, None, or an error to raise."""

    def __init__(self, *script: int | OSError | None) -> None:
        self._script: Iterator[int | OSError | None] = iter(script)
        self._file = tempfile.TemporaryFile("w+b", buffering=0)  # noqa: SIM115 - closed by close

    def write(self, data: bytes | memoryview, /) -> int | None:
        step = next(self._script, len(data))
        if isinstance(step, OSError):
            raise step
        return None if step is None else self._file.write(bytes(data)[:step])

    def fileno(self) -> int:
        return self._file.fileno()

    def close(self) -> None:
        self._file.close()

    def content(self) -> bytes:
        return os.pread(self.fileno(), 1000, 0)


def test_short_writes_go_on() -> None:
    """Everything arrives, in order, also where the file makes wait."""
    raw = ScriptedFile(1, None, 2, 0, 1)
    output = Output(raw, "out", is_regular=True, is_owned=True)
    output.write(b"abcdef\n")
    assert raw.content() == b"abcdef\n"
    output.finish()


def test_full_disk_leaves_whole_lines_and_names_the_file() -> None:
    """The part of a batch that got through is taken back; the next may succeed."""
    raw = ScriptedFile(4, 2, OSError(errno.ENOSPC, "x"))
    output = Output(raw, "out\n", is_regular=True, is_owned=True)
    output.write(b"one\n")
    with pytest.raises(OutputFailed, match=r"'out\\n' failed: No space left on device"):
        output.write(b"two\n")
    assert raw.content() == b"one\n"
    output.write(b"three\n")
    assert raw.content() == b"one\nthree\n"
    output.finish()
    output.finish()
    output.close()


def test_a_reader_that_left_is_the_callers_matter() -> None:
    """BrokenPipeError passes through as it is."""
    raw = ScriptedFile(BrokenPipeError())
    output = Output(raw, "out", is_regular=False, is_owned=True)
    with pytest.raises(BrokenPipeError):
        output.write(b"x\n")
    output.finish()


def test_error_at_close_names_the_file() -> None:
    """A network file system may report a lost write only then."""

    class FailingClose(ScriptedFile):
        def close(self) -> None:
            super().close()
            raise OSError(errno.EDQUOT, "x")

    output = Output(FailingClose(), "out", is_regular=False, is_owned=True)
    with pytest.raises(OutputFailed, match="'out' failed"):
        output.finish()


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (errors.UnknownFormat("x\n.y", (".csv",)), ValueError),
        (errors.AlgorithmMismatch("a.md5", "md5", "sha1"), ValueError),
        (errors.OutputUnwritable("a\n", "why"), OSError),
        (errors.OutputFailed("a\n", "why"), OSError),
        (errors.DigestsMissing("a", 3, "b\n"), ValueError),
    ],
)
def test_errors_carry_fields_and_survive_pickling(
    error: SinkError, builtin: type[Exception]
) -> None:
    """Each has its builtin, a message of one line, and comes back equal."""
    assert isinstance(error, builtin)
    assert "\n" not in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), vars(again), str(again)) == (type(error), vars(error), str(error))
