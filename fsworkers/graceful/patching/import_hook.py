"""What is to be done once a module is imported, by whoever does it first."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec
    from types import ModuleType


class WhenImported:
    """A finder that finds a module as ever, and calls back when it is loaded.

    Args:
        name: The module.
        call: What to do then, on the importing thread, before the import returns.

    Source:
        importlib.abc.MetaPathFinder.
    """

    def __init__(self, name: str, call: Callable[[], None]) -> None:
        self._name = name
        self._call = call

    def begin(self) -> None:
        """Call now if it is loaded, or wait for its import."""
        if self._name in sys.modules:
            self._call()
        else:
            sys.meta_path.insert(0, self)

    def end(self) -> bool:
        """Wait for it no more; whether it was waited for."""
        is_waiting = self in sys.meta_path
        if is_waiting:
            sys.meta_path.remove(self)
        return is_waiting

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """What the other finders say, with our call behind the module's own code."""
        if name != self._name:
            return None
        for finder in tuple(sys.meta_path):
            spec = None if finder is self else finder.find_spec(name, path, target)
            if spec is not None and spec.loader is not None:
                self._follow(spec.loader)
                return spec
        return None

    def _follow(self, loader: Loader) -> None:
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            if self.end():  # who only looks whether there is such a module does not come here
                self._call()

        loader.exec_module = exec_module  # type: ignore[method-assign]
