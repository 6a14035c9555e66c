"""Outcomes as the journal holds them: paths as bytes, values as JSON, texts of any kind.

A batch is one MessagePack list of rows; in the table ``outcome`` each row has its own columns, in
the same order.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import msgspec

from fsworkers.model import Outcome, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Text: TypeAlias = str | bytes | None
"""Text, or where it has characters that UTF-8 does not know, its bytes by ``surrogatepass``."""

Row: TypeAlias = tuple[
    bytes, str, int | None, int | None, int, Text, float, int | None, Text, bytes | None
]
"""path, status, size, mtime_ns, attempts, error, duration_s, worker, traceback, value as JSON."""

ROW_COLUMNS = "path, status, size, mtime_ns, attempts, error, duration_s, worker, traceback, value"

LARGEST_VALUE_BYTES = 500_000_000
"""SQLite holds a billion bytes in one place. A larger value is left out of the journal."""

_BATCH_BYTES = 32_000_000

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[tuple[Any, ...]])


def packed_batches(
    outcomes: Sequence[Outcome], encode_value: Callable[[Any], bytes]
) -> Iterator[bytes]:
    """Pack outcomes for the table ``batch``: in one piece, unless their values are large."""
    rows = [_row(outcome, encode_value) for outcome in outcomes]
    try:
        packed = _encoder.encode(rows)
    except UnicodeEncodeError:  # some error's text holds what is no UTF-8
        rows = [(*row[:5], _text(row[5]), *row[6:8], _text(row[8]), row[9]) for row in rows]
        packed = _encoder.encode(rows)
    if len(packed) <= _BATCH_BYTES:
        yield packed
    else:
        yield from (_encoder.encode([row]) for row in rows)


def unpack_batch(packed: bytes) -> list[Row]:
    """The rows of a batch."""
    return cast("list[Row]", _decoder.decode(packed))


def outcome_of(row: Row) -> Outcome:
    """The outcome that a row tells of. Its value is what its JSON says: a tuple is now a list."""
    path, status, size, mtime_ns, attempts, error, duration_s, worker, traceback, value = row
    return Outcome(
        os.fsdecode(path),
        cast("Status", status),
        None if value is None else msgspec.json.decode(value),
        _read_text(error),
        attempts,
        size,
        duration_s,
        worker,
        _read_text(traceback),
        mtime_ns,
    )


def _row(outcome: Outcome, encode_value: Callable[[Any], bytes]) -> Row:
    value = None if outcome.value is None else encode_value(outcome.value)
    mtime_ns = outcome.mtime_ns
    if value is not None and len(value) > LARGEST_VALUE_BYTES:
        value = mtime_ns = None  # so that the file never counts as known: it would have no value
    return (
        os.fsencode(outcome.path),
        outcome.status,
        outcome.size,
        mtime_ns,
        outcome.attempts,
        outcome.error,
        outcome.duration_s,
        outcome.worker,
        outcome.traceback,
        value,
    )


def _text(text: Text) -> Text:
    if not isinstance(text, str):
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def _read_text(text: Text) -> str | None:
    return text.decode("utf-8", "surrogatepass") if isinstance(text, bytes) else text
