"""User values as JSON: whatever a task returns becomes something that can be written.

``encode`` decides what stands for values that JSON does not have:

==============================================  ==============================================
value                                           in JSON
==============================================  ==============================================
NaN, infinities                                 ``null``
bytes, bytearray, memoryview                    base64 text
sets, tuples, deques, ranges                    array
dataclasses, structs, named mappings            object
dates, UUIDs, decimals, enums                   as msgspec writes them
paths                                           text
scalars and arrays of NumPy and its kin         what their ``item()`` or ``tolist()`` gives
text with bytes that are no UTF-8               the same with U+FFFD for each such byte
dictionary keys other than text and numbers     their ``repr``
anything else, cycles, nesting without end      ``repr``
==============================================  ==============================================
"""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

__all__ = ["encode", "encode_list", "encoder", "lossy", "safe_repr", "terminal_safe"]

_SURROGATE = "[\ud800-\udfff]"
_DEEPEST = 100


def lossy(text: str) -> str:
    """Make text encodable: U+FFFD stands for each byte that was no UTF-8."""
    return re.sub(_SURROGATE, "\ufffd", text)


def safe_repr(value: object) -> str:
    """Give the ``repr`` of a value whose class may be broken, as encodable text."""
    try:
        return lossy(repr(value))
    except Exception:  # noqa: BLE001 - a user's __repr__ may raise anything
        return f"<{type(value).__name__} that has no repr>"


def _stand_in(value: Any) -> Any:
    """Give something that msgspec knows for one value that it does not."""
    # Subclasses of these may convert themselves to something odd: ask the base class.
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (deque, range)):
        return list(value)
    if hasattr(value, "dtype"):
        return value.tolist() if getattr(value, "shape", ()) else value.item()
    return safe_repr(value)


encoder = msgspec.json.Encoder(enc_hook=_stand_in)


def encode(value: Any) -> bytes:
    """Encode any value as one line of JSON; never raises for what the value is."""
    try:
        return encoder.encode(value)
    except Exception:  # noqa: BLE001 - whatever is wrong with the value, its file has an outcome
        return _encode_replaced(value)


def encode_list(values: Sequence[Any]) -> bytes:
    """Encode values as one JSON array: all at once, or one by one where that cannot be done."""
    try:
        return encoder.encode(values)
    except Exception:  # noqa: BLE001 - as in encode
        return b"[" + b",".join(map(encode, values)) + b"]"


def _encode_replaced(value: Any) -> bytes:
    try:
        return encoder.encode(_plain(value, _DEEPEST))
    except Exception:  # noqa: BLE001 - as in encode
        return encoder.encode(safe_repr(value))


def _plain(value: Any, depth: int) -> Any:
    """Copy a value with all that cannot be encoded replaced, at any level.

    Raises:
        RecursionError: The value nests deeper than ``depth``, or contains itself.
    """
    if depth == 0:
        raise RecursionError
    if isinstance(value, str):
        return lossy(str.__str__(value))
    if isinstance(value, Mapping):
        return {_key(key): _plain(each, depth - 1) for key, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset, deque)):
        return [_plain(each, depth - 1) for each in value]
    try:
        encoder.encode(value)
    except Exception:  # noqa: BLE001 - asked only whether it can be encoded
        return _plain_object(value, depth)
    return value


def _plain_object(value: Any, depth: int) -> Any:
    if isinstance(value, os.PathLike):
        return lossy(os.fsdecode(value))
    try:
        fields = msgspec.structs.asdict(value) if isinstance(value, msgspec.Struct) else vars(value)
    except TypeError:
        return safe_repr(value)
    if hasattr(type(value), "__dataclass_fields__") or isinstance(value, msgspec.Struct):
        return _plain(fields, depth - 1)
    return safe_repr(value)


def _key(key: object) -> str:
    return lossy(key) if isinstance(key, str) else safe_repr(key)


_UNSAFE = rb"\x7f|\xc2[\x80-\x9f]"


def terminal_safe(lines: bytes) -> bytes:
    """Escape the control characters that JSON allows as they are: DEL and C1.

    Some terminals act on U+009B as on ESC ``[``. All of ``lines`` must be JSON: there such
    characters occur in strings alone, where the escape means the same.
    """
    if b"\x7f" not in lines and b"\xc2" not in lines:
        return lines
    return re.sub(_UNSAFE, lambda found: b"\\u00%02x" % found[0][-1], lines)
