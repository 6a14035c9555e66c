"""Options of a task from a weaker source than the task: those that it does not have are left out."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from fsworkers.cli.stdout import stdout_to_stderr
from fsworkers.errors import FsworkersError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def fitting(options: list[str], chosen: Mapping[str, Any]) -> list[str]:
    """Those of ``KEY=VALUE`` whose keys the task has.

    Args:
        options: As they stand in a file or in the environment.
        chosen: The parameters ``task`` and ``call``, of which one is set, and ``to``.
    """
    try:
        with stdout_to_stderr():
            has = _keys_of(chosen)
    except FsworkersError:
        return options  # the task can't be had, which the run says
    return [one for one in options if has is None or one.partition("=")[0] in has]


def _keys_of(chosen: Mapping[str, Any]) -> Collection[str] | None:
    """The options that there are; ``None`` where any will do."""
    call = chosen.get("call")
    if not call:
        from fsworkers.tasks.registry import options_of, task_class  # noqa: PLC0415  (rare)

        return {one.name for one in options_of(task_class(chosen["task"]))}
    from fsworkers.tasks.callables import imported  # noqa: PLC0415  (rare)

    path_count = 2 if chosen.get("to") else 1
    try:
        parameters = inspect.signature(imported(call)).parameters.values()
    except (TypeError, ValueError):
        return ()  # some builtins do not tell
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters):
        return None
    return [one.name for one in parameters][path_count:]
