"""Functions that can stand where one of C stood: as a class's attribute it becomes no method.

``class Source: opener = open`` calls ``self.opener(path)`` and means ``open(path)``.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_made: dict[Callable[..., Any], Unbound] = {}


class Unbound(staticmethod):  # type: ignore[type-arg]  # of any function
    """A function with its name, signature and documentation that is never bound.

    It can be pickled, as long as the function can, and comes back as the same object.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return unbound, (self.__wrapped__,)


def unbound(function: Callable[..., Any]) -> Unbound:
    """The one such object of a function."""
    if function not in _made:
        _made.setdefault(function, Unbound(function))
    return _made[function]
