"""What tasks need that is not installed with the package itself."""

from __future__ import annotations

from importlib.util import find_spec

from fsworkers.errors import MissingExtra


def need(task: str, *modules: str) -> None:
    """Look whether modules are there, without loading them: workers do, when they first need one.

    Args:
        task: The task's name, which is that of the extra too.
        modules: Of the packages that it needs.

    Raises:
        MissingExtra: One is not installed.
    """
    for name in modules:
        if find_spec(name) is None:
            raise MissingExtra(f"{name}, which the task {task} needs,", task)
