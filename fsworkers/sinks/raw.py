"""The output of commands as they wrote it: stdout to stdout, stderr to stderr, a file's in a piece.

What a worker encodes is the values themselves. Output too long for memory lies in a file, which is
removed when it has been written, unless it is a result.
"""

from __future__ import annotations

import base64
import os
import pickle
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from fsworkers.names import printable
from fsworkers.sinks.sink import Lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fsworkers.model import Outcome
    from fsworkers.sinks.output import Output
    from fsworkers.sinks.sink import DoneEncoder

__all__ = ["RawSink", "encode_done"]

_CHUNK_BYTES = 1 << 20


class RawSink(Lines):
    """Writes what commands wrote.

    Args:
        output: Where stdout goes.
        is_tagged: Put the path and a tab before each line.
    """

    def __init__(self, output: Output, *, is_tagged: bool = False) -> None:
        super().__init__(output)
        self.encode_done: DoneEncoder = encode_done
        self._is_tagged = is_tagged

    def write(self, outcomes: Sequence[Outcome]) -> None:
        """Write what those left that did not end well; see ``Sink.write``."""
        for outcome in outcomes:
            if isinstance(outcome.value, Mapping):
                self._write_value(outcome.path, outcome.value)

    def write_encoded(self, lines: bytes) -> None:
        """Write what ``encode_done`` made; see ``Sink.write_encoded``."""
        for path, value in pickle.loads(lines):
            self._write_value(path, value)

    def _write_value(self, path: Any, value: Mapping[str, Any]) -> None:
        tag = b""
        if self._is_tagged:
            tag = printable(path).encode(errors="backslashreplace") + b"\t"
        spilled = getattr(value, "spilled", (None, None))
        for name, file, write in zip(
            ("stdout", "stderr"), spilled, (self.output.write, _to_stderr), strict=True
        ):
            _write(_pieces(value, name, file), tag, write)
            if file is not None and not getattr(value, "keeps_spilled", False):
                os.unlink(file)


def encode_done(
    paths: Sequence[str],
    values: Sequence[Any],
    sizes: Sequence[int | None],  # noqa: ARG001  (every encoder is given them)
    durations_s: Sequence[float],  # noqa: ARG001
    attempts: int,  # noqa: ARG001
    worker: int,  # noqa: ARG001
    mtimes_ns: Sequence[int | None] = (),  # noqa: ARG001
) -> bytes | None:
    """Encode what commands left that wrote anything."""
    wrote = [
        (path, value)
        for path, value in zip(paths, values, strict=True)
        if isinstance(value, Mapping) and any(map(value.get, _STREAMS))
    ]
    return pickle.dumps(wrote, protocol=5) if wrote else b""


_STREAMS = ("stdout", "stderr", "stdout_b64", "stderr_b64")


def _pieces(value: Mapping[str, Any], name: str, file: str | None) -> Iterator[bytes]:
    """One stream, in pieces."""
    if file is None:
        encoded = value.get(f"{name}_b64")
        yield value.get(name, "").encode() if encoded is None else base64.b64decode(encoded)
        return
    with open(file, "rb") as stream:
        while piece := stream.read(_CHUNK_BYTES):
            yield piece


def _write(pieces: Iterator[bytes], tag: bytes, write: Callable[[bytes], object]) -> None:
    at_start = True
    for piece in pieces:
        if not piece:
            continue
        if not tag:
            write(piece)
            continue
        write(b"".join(_tagged(_lines(piece), tag, at_start)))
        at_start = piece.endswith(b"\n")
    if tag and not at_start:
        write(b"\n")


def _lines(piece: bytes) -> list[bytes]:
    """Lines as newlines alone end them."""
    *lines, rest = piece.split(b"\n")
    return [line + b"\n" for line in lines] + ([rest] if rest else [])


def _tagged(lines: Sequence[bytes], tag: bytes, at_start: bool) -> Iterator[bytes]:
    for number, line in enumerate(lines):
        yield tag + line if number or at_start else line


def _to_stderr(data: bytes) -> None:
    """Past the text layer, whose buffer is empty, and a live line, which this takes away."""
    if sys.stderr is None:
        return
    sys.stderr.flush()
    with getattr(sys.stderr, "making_way", nullcontext)(data):
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(2, rest) :]
