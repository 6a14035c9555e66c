"""Errors of the descriptor layer, and the root of all errors of this package.

The root lives here because the layer imports nothing else of fsworkers; ``fsworkers.errors``
shows the whole hierarchy.
"""

from __future__ import annotations


class FsworkersError(Exception):
    """The root: everything that fsworkers raises on purpose derives from it."""

    def __reduce__(self) -> tuple[type[FsworkersError], tuple[object, ...]]:
        """Rebuild from the typed fields, which ``__init__`` takes in order of definition."""
        return type(self), tuple(self.__dict__.values())
