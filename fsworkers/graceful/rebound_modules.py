"""Second instances of standard modules that open their files through this layer.

``shutil``, ``tempfile``, ``glob`` and ``subprocess`` are right as they are in every Python version,
but for the ``open`` and ``os`` they use. So they are loaded once more, out of sight of
``sys.modules``, with ours in the place of those. Exceptions, which callers catch, and classes that
they compare with are then put back to the originals.
"""

from __future__ import annotations

import io as _io
from importlib.util import find_spec, module_from_spec
from types import FunctionType, ModuleType, SimpleNamespace

from fsworkers.graceful import os as graceful_os
from fsworkers.graceful.opening import open_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class _Io(SimpleNamespace):
    """The ``io`` module with our ``open``."""

    open = staticmethod(open_file.open)

    def __getattr__(self, name: str) -> object:
        return getattr(_io, name)


_REBOUND = {"os": graceful_os, "_os": graceful_os, "io": _Io(), "_io": _Io()}


def twin(original: ModuleType, face: str, keep: Iterable[str] = ()) -> ModuleType:
    """Load a module a second time, bound to this layer.

    Args:
        original: The module as everyone has it.
        face: The module that shows the twin's names, under which they can be pickled.
        keep: Names that stay the original's objects, beside its exceptions.
    """
    spec = find_spec(original.__name__)
    if spec is None or spec.loader is None:
        raise ImportError(f"{original.__name__} cannot be loaded a second time")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    names = vars(module)
    for name, value in [*names.items()]:
        is_its_own = getattr(value, "__module__", None) == original.__name__
        if name in keep or (is_its_own and _is_exception(value)):
            names[name] = getattr(original, name)
        elif name in _REBOUND:
            names[name] = _REBOUND[name]
        elif is_its_own and isinstance(value, type | FunctionType):
            value.__module__ = face
    names["open"] = open_file.open
    return module


def _is_exception(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)
