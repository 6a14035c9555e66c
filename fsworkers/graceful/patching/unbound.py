"""Functions that can stand where one of C stood: as a class's attribute it becomes no method.

``class Source: opener = open`` calls ``self.opener(path)`` and means ``open(path)``.
"""

from __future__ import annotations

from functools import cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Unbound(staticmethod):  # type: ignore[type-arg]  # of any function
    """A function with its name, signature and documentation that is never bound.

    It can be pickled, as long as the function can, and comes back as the same object.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return unbound, (self.__wrapped__,)


@cache
def unbound(function: Callable[..., Any]) -> Unbound:
    """The one such object of a function."""
    return Unbound(function)
