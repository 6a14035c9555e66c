"""``tempfile`` with descriptors that wait their turn.

Whatever goes wrong when it first looks for a directory, the standard one says "No usable temporary
directory found", which sends its reader looking in the wrong place. Returned objects are of the
standard classes, or derive from them.
"""

from __future__ import annotations

import tempfile as _tempfile
from typing import Any

from fsworkers.graceful import shutil
from fsworkers.graceful.opening.error_passthrough import let_through
from fsworkers.graceful.rebound_modules import twin

_twin: Any = twin(
    _tempfile,
    __name__,
    keep=("_TemporaryFileWrapper", "_TemporaryFileCloser", "_RandomNameSequence"),
)
_twin._shutil = shutil  # noqa: SLF001 - the twin is ours
_twin._get_default_tempdir = let_through(_twin._get_default_tempdir)  # noqa: SLF001 - likewise
_twin.TemporaryFile = let_through(_twin.TemporaryFile)


def _directory() -> Any:
    """The directory that was assigned to ``tempdir`` here, or the one of the standard module.

    The latter is found gracefully when nobody has yet.
    """
    assigned = globals().get("tempdir")
    if assigned is not None:
        return assigned
    globals().pop("tempdir", None)
    if _tempfile.tempdir is None:
        _tempfile.tempdir = _twin._get_default_tempdir()  # noqa: SLF001 - the twin is ours
    return _tempfile.tempdir


_sanitize_params = _twin._sanitize_params  # noqa: SLF001 - the twin is ours


def _sanitize_ours(*params: Any) -> Any:
    _twin.tempdir = _directory()  # Bytes there make all names bytes.
    return _sanitize_params(*params)


_twin._gettempdir = _directory  # noqa: SLF001 - the twin is ours
_twin._sanitize_params = _sanitize_ours  # noqa: SLF001 - likewise


class SpooledTemporaryFile(_tempfile.SpooledTemporaryFile):  # type: ignore[type-arg]  # str or bytes
    """``tempfile.SpooledTemporaryFile``; takes a descriptor when it rolls over."""

    def rollover(self) -> None:
        """Move to a real file."""
        _twin.SpooledTemporaryFile.rollover(self)


class TemporaryDirectory(_tempfile.TemporaryDirectory):  # type: ignore[type-arg]  # str or bytes
    """``tempfile.TemporaryDirectory``; removed with two descriptors at any depth."""

    __init__ = _twin.TemporaryDirectory.__init__

    @classmethod
    def _rmtree(cls, name: Any, *args: Any, **kwargs: Any) -> None:
        _twin.TemporaryDirectory._rmtree(name, *args, **kwargs)  # noqa: SLF001 - the twin is ours


def __getattr__(name: str) -> Any:
    # Until it is assigned here.
    return getattr(_tempfile if name == "tempdir" else _twin, name)


def __dir__() -> list[str]:
    return sorted({*dir(_tempfile), *globals()})
