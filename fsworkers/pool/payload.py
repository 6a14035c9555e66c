"""Items and values on their way between processes: as one frame where that is safe.

Texts (paths, mostly) travel joined by NUL, numbers and the like as one pickled list. Anything else
is pickled for itself: what can't be pickled, or not be unpickled on the other side, is then that
one item's failure and not the whole block's.
"""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any, NamedTuple

from fsworkers.errors import UnpicklableValue

if TYPE_CHECKING:
    from collections.abc import Sequence

PLAIN = frozenset({str, bytes, int, float, bool, type(None)})
"""Types whose values always can be pickled and unpickled, and that nobody can alter."""

TEXTS, PLAIN_LIST, PACKED_LIST = "texts", "plain", "packed"
"""How a frame holds items: joined by NUL, as one pickled list, each pickled for itself."""


class Packed:
    """A pickled value inside a message."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __reduce__(self) -> tuple[type[Packed], tuple[bytes]]:
        return Packed, (self.data,)

    def __len__(self) -> int:
        return len(self.data)


def pickle_value(value: Any) -> bytes:
    """Pickle ``value``, by value where it comes from ``__main__`` or is a lambda or closure.

    Raises:
        Exception: Whatever the value's own pickling raises.
    """
    try:
        data = pickle.dumps(value, protocol=5)
    except Exception:  # noqa: BLE001  (user types raise anything; cloudpickle has the last word)
        return _by_value(value)
    # Plain pickle names what lives in __main__, and the other process has another __main__.
    return _by_value(value) if b"__main__" in data else data


def _by_value(value: Any) -> bytes:
    from fsworkers.pool.by_value import pickle_by_value  # noqa: PLC0415  (35 ms, seldom needed)

    return pickle_by_value(value)


def pack(value: Any) -> Any:
    """Make ``value`` safe to be put in a message; plain ones are returned as they are.

    Raises:
        UnpicklableValue: It can't be pickled.
    """
    if type(value) in PLAIN:
        return value
    try:
        return Packed(pickle_value(value))
    except Exception as error:
        raise UnpicklableValue(type(value).__name__, f"{type(error).__name__}: {error}") from error


def unpack(value: Any) -> Any:
    """Give back what ``pack`` was given.

    Raises:
        Exception: Whatever the value's own unpickling raises.
    """
    return pickle.loads(value.data) if type(value) is Packed else value


def size_of(value: Any) -> int:
    """How many bytes a packed value takes in a message; 0 for one that is never large."""
    return len(value) if type(value) in _SIZED else 0


_SIZED = frozenset({str, bytes, Packed})


class PackedItems(NamedTuple):
    """Items in a frame.

    Attributes:
        kind: How it holds them.
        frame: The items.
        length: How many there are.
    """

    kind: str
    frame: bytes
    length: int

    def items(self) -> list[Any]:
        """The items themselves.

        Raises:
            Exception: Whatever the unpickling of one raises.
        """
        items = unpack_items(self.kind, self.frame)
        return [*map(unpack, items)] if self.kind == PACKED_LIST else items


def pack_items(items: Sequence[Any], most_bytes: int) -> PackedItems:
    """Pack items into a frame, as many as ``most_bytes`` hold, though at least one.

    Raises:
        UnpicklableValue: The first item can't be pickled; one further on ends the block before it.
    """
    count = len(items)
    kinds = set(map(type, items))
    frame = None
    if kinds == {str}:
        kind, frame = TEXTS, _joined(items)
    elif kinds <= PLAIN and not kinds & _SIZED:
        kind, frame = PLAIN_LIST, pickle.dumps([*items], protocol=5)
    if frame is None:
        return _pack_each(items, most_bytes)
    if len(frame) <= most_bytes or count == 1:
        return PackedItems(kind, frame, count)
    return pack_items(items[: _fitting(count, len(frame), most_bytes)], most_bytes)


def _joined(items: Sequence[str]) -> bytes | None:
    """Texts as one, ``None`` if they can't be told apart again."""
    text = "\0".join(items)
    if text.count("\0") != len(items) - 1:
        return None
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return None  # a surrogate that stands for no byte


def _pack_each(items: Sequence[Any], most_bytes: int) -> PackedItems:
    packed: list[Any] = []
    size = 0
    for item in items:
        try:
            one = pack(item)
        except UnpicklableValue:
            if packed:
                break
            raise
        if packed and size + size_of(one) > most_bytes:
            break
        packed.append(one)
        size += size_of(one)
    return pack_packed(packed)


def pack_packed(items: list[Any]) -> PackedItems:
    """Make a frame of items each of which ``pack`` has been at."""
    return PackedItems(PACKED_LIST, pickle.dumps(items, protocol=5), len(items))


def _fitting(count: int, size: int, most_bytes: int) -> int:
    """How many of ``count`` items with ``size`` bytes in all will fit, by their mean."""
    return max(1, min(count - 1, count * most_bytes // size))


def unpack_items(kind: str, frame: bytes) -> list[Any]:
    """Give back the items; of a ``PACKED_LIST`` each is still to be unpacked."""
    if kind == TEXTS:
        return str(frame, "utf-8", "surrogateescape").split("\0")
    items: list[Any] = pickle.loads(frame)
    return items


def pack_values(values: Sequence[Any]) -> bytes:
    """Pack a column of values, each of which ``pack`` has been at."""
    return pickle.dumps(values, protocol=5)


def unpack_values(frame: bytes) -> list[Any]:
    """Give back a column of packed values."""
    values: list[Any] = pickle.loads(frame)
    return values
