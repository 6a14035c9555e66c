"""Tasks by name: those that come with the package, and those of packages installed beside it."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, NamedTuple

from fsworkers.errors import BadOption, BadSetting, FsworkersError, TaskNotFound
from fsworkers.tasks.task import columns_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from importlib.metadata import EntryPoint, EntryPoints

    from fsworkers.tasks.task import Preparation, Task

DEFAULT_TASK = "checksum"

GROUP = "fsworkers.tasks"
"""The entry points that are tasks."""

BUILT_IN = {
    "archive": "fsworkers.tasks.archive:Archive",
    "checksum": "fsworkers.tasks.checksum:Checksum",
    "count": "fsworkers.tasks.count:Count",
    "verify": "fsworkers.tasks.verify:Verify",
    "duplicates": "fsworkers.tasks.duplicates:Duplicates",
    "compress": "fsworkers.tasks.compress:Compress",
    "copy": "fsworkers.tasks.copy:Copy",
    "decompress": "fsworkers.tasks.compress:Decompress",
    "image": "fsworkers.tasks.image:Image",
    "table": "fsworkers.tasks.table:Table",
    "text": "fsworkers.tasks.text:Text",
    "type": "fsworkers.tasks.content_type:ContentType",
}


class TaskOption(NamedTuple):
    """An option of a task.

    Attributes:
        name: Before the ``=``.
        type: What it takes, in words.
        default: What it is otherwise, as it would be written; ``None`` where it must be given.
        meaning: What it does.
    """

    name: str
    type: str
    default: str | None
    meaning: str

    def __str__(self) -> str:
        """As the list of tasks shows it."""
        default = "required" if self.default is None else f"default {self.default or 'none'}"
        return f"{self.name}={self.type} ({default})"


def task_class(name: str) -> type[Task]:
    """The class behind a task's name.

    Raises:
        TaskNotFound: There is none of that name, or it can't be imported.
    """
    if name in BUILT_IN:
        from pkgutil import resolve_name  # noqa: PLC0415

        built_in: type[Task] = resolve_name(BUILT_IN[name])
        return built_in
    offered = _offered()
    if name not in offered:
        from difflib import get_close_matches  # noqa: PLC0415  (only for the message)

        known = [*BUILT_IN, *offered]
        near = get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]}? " if near else ""
        names = ", ".join(known)
        reason = f"{hint}there is no such task; there are {names} (--call takes your own)"
        raise TaskNotFound(name, reason)
    return _loaded(offered[name])


def _where(entry: EntryPoint) -> str:
    return f"of {entry.dist.name}" if entry.dist is not None else f"at {entry.value}"


def _loaded(entry: EntryPoint) -> type[Task]:
    where = _where(entry)
    try:
        found: type[Task] = entry.load()
    except BaseException as error:  # SystemExit as well: it is somebody else's code
        if isinstance(error, KeyboardInterrupt):
            raise
        raise TaskNotFound(
            entry.name, f"it can't be loaded ({where}): {type(error).__name__}: {error}"
        ) from error
    if not isinstance(found, type):
        raise TaskNotFound(entry.name, f"{entry.value} is not a task class ({where})")
    if not any("__call__" in vars(kind) for kind in found.__mro__):
        reason = f"{entry.value} has no method __call__(self, path), so its objects can't be called"
        raise TaskNotFound(entry.name, f"{reason} ({where})")
    try:
        options_of(found)
    except Exception as error:
        raise TaskNotFound(
            entry.name, f"its options can't be told ({where}): {type(error).__name__}: {error}"
        ) from error
    try:
        columns_of(found)
    except BadSetting as error:
        raise TaskNotFound(entry.name, f"{error} ({where})") from error
    return found


def _entries() -> EntryPoints:
    from importlib.metadata import entry_points  # noqa: PLC0415  (only where it is none of ours)

    return entry_points(group=GROUP)


def _offered() -> dict[str, EntryPoint]:
    """The tasks of other packages by name; one of ours goes before one of theirs."""
    return {one.name: one for one in _entries() if one.name not in BUILT_IN}


def all_tasks() -> Iterator[tuple[str, type[Task] | FsworkersError]]:
    """Every task by name, or why it can't be had; ours first."""
    for name in [*BUILT_IN, *sorted(_offered())]:
        try:
            yield name, task_class(name)
        except FsworkersError as error:
            yield name, error
    for one in _entries():
        if one.name in BUILT_IN:
            reason = f"the one {_where(one)} is never run: a built-in task has that name"
            yield one.name, TaskNotFound(one.name, reason)


def make_task(name: str, options: Mapping[str, str]) -> Callable[[str], Any]:
    """Make a task from its name and its options as they were written.

    Raises:
        TaskNotFound: There is no such task; the message lists those there are.
        BadOption: It has no such option, needs one more, one can't be read as what it is, or its
            constructor refuses them.
        BadSetting: An option can't have that value.
        MissingExtra: It needs a package that is not installed.
    """
    kind = task_class(name)
    signature = inspect.signature(kind)
    known = options_of(kind)
    names = [one.name for one in known]
    accepted = f"it has {', '.join(map(str, known))}" if known else "it has none"
    for key in options:
        if key not in names:
            raise BadOption(f"task {name} has no option {key!r}; {accepted}")
    for one in known:
        if one.default is None and one.name not in options:
            meaning = f": {one.meaning}" if one.meaning else ""
            raise BadOption(f"task {name} needs --option {one.name}={one.type}{meaning}")
    from fsworkers.tasks.option_values import converted  # noqa: PLC0415  (only for a run)

    given = converted(f"task {name}", kind, signature, options)
    try:
        task: Task = kind(**given)
    except FsworkersError:
        raise
    except Exception as error:
        said = str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"
        raise BadOption(f"task {name}: {said}; {accepted}") from error
    return task


def options_of(kind: type[Task]) -> list[TaskOption]:
    """What a task's constructor takes."""
    from fsworkers.tasks.option_values import described  # noqa: PLC0415  (as above)

    parameters = inspect.signature(kind).parameters.values()
    return [
        TaskOption(
            one.name,
            *described(kind, one),
        )
        for one in parameters
        if one.kind not in {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}
    ]


def meaning_of(kind: type[Task]) -> str:
    """The first line of a task's docstring."""
    text = inspect.getdoc(kind) or "it does not say what it does"
    return text.partition("\n")[0]


def prepared(function: Callable[[str], Any], preparation: Preparation) -> Callable[[str], Any]:
    """The task that is run: what the one asked for makes of itself before the run, if anything."""
    prepare = getattr(function, "prepare", None)
    return function if prepare is None else prepare(preparation)
