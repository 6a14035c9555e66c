"""``tempfile`` with descriptors that wait their turn.

Whatever goes wrong when it first looks for a directory, the standard one says "No usable temporary
directory found", which sends its reader looking in the wrong place. Returned objects are of the
standard classes, or derive from them.
"""

from __future__ import annotations

import tempfile as _tempfile
from typing import Any

from fsworkers.graceful import shutil
from fsworkers.graceful.twins import twin
from fsworkers.graceful.unswallowed import let_through

_twin: Any = twin(
    _tempfile,
    __name__,
    keep=("_TemporaryFileWrapper", "_TemporaryFileCloser", "_RandomNameSequence"),
)
_twin._shutil = shutil  # noqa: SLF001 - the twin is ours
_twin._get_default_tempdir = let_through(_twin._get_default_tempdir)  # noqa: SLF001 - likewise


def _shared_directory() -> Any:
    """The directory that ``tempfile.tempdir`` names, found gracefully when nobody has yet."""
    if _tempfile.tempdir is None:
        _tempfile.tempdir = _twin._get_default_tempdir()  # noqa: SLF001 - the twin is ours
    return _tempfile.tempdir


_twin._gettempdir = _shared_directory  # noqa: SLF001 - the twin is ours

NamedTemporaryFile = _twin.NamedTemporaryFile
TemporaryFile = _twin.TemporaryFile
mkdtemp = _twin.mkdtemp
mkstemp = _twin.mkstemp
gettempdir = _twin.gettempdir


class SpooledTemporaryFile(_tempfile.SpooledTemporaryFile):  # type: ignore[type-arg]  # str or bytes
    """``tempfile.SpooledTemporaryFile``; takes a descriptor when it rolls over."""

    def rollover(self) -> None:
        """Move to a real file."""
        _twin.SpooledTemporaryFile.rollover(self)


class TemporaryDirectory(_tempfile.TemporaryDirectory):  # type: ignore[type-arg]  # str or bytes
    """``tempfile.TemporaryDirectory``; removed with two descriptors at any depth."""

    @classmethod
    def _rmtree(cls, name: Any, *args: Any, **kwargs: Any) -> None:
        _twin.TemporaryDirectory._rmtree(name, *args, **kwargs)  # noqa: SLF001 - the twin is ours


def __getattr__(name: str) -> Any:
    return getattr(_twin if name not in _SHARED else _tempfile, name)


_SHARED = frozenset({"tempdir"})


def __dir__() -> list[str]:
    return sorted({*dir(_tempfile), *globals()})
