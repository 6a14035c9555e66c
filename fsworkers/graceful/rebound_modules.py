"""Second instances of standard modules that open their files through this layer.

``shutil``, ``tempfile``, ``glob`` and ``subprocess`` are right as they are in every Python version,
but for the ``open`` and ``os`` they use. So they are loaded once more, out of sight of
``sys.modules``, with ours in the place of those. Classes that callers catch or compare with are
then put back to the originals.
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


def twin(original: ModuleType, face: str, keep: Iterable[str] = ()) -> ModuleType:
    """Load a module a second time, bound to this layer.

    Args:
        original: The module as everyone has it.
        face: The module that shows the twin's names, under which they can be pickled.
        keep: Names that stay the original's objects: exceptions, classes that are compared with.
    """
    spec = find_spec(original.__name__)
    if spec is None or spec.loader is None:
        raise ImportError(f"{original.__name__} cannot be loaded a second time")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    names = vars(module)
    for value in names.values():
        if isinstance(value, type | FunctionType) and value.__module__ == original.__name__:
            value.__module__ = face
    for name in ("os", "_os"):
        if name in names:
            names[name] = graceful_os
    for name in ("io", "_io"):
        if name in names:
            names[name] = _Io()
    names["open"] = open_file.open
    for name in keep:
        if hasattr(original, name):
            names[name] = getattr(original, name)
    return module
