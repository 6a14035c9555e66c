"""The built-in tasks by name, with their options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from fsworkers.errors import BadOption, TaskNotFound
from fsworkers.tasks.checksum import ALGORITHMS, Checksum

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class TaskOption(NamedTuple):
    """An option of a built-in task."""

    name: str
    default: str
    accepted: str
    meaning: str


class BuiltInTask(NamedTuple):
    """A task that comes with the package.

    Attributes:
        name: What ``--task`` takes.
        meaning: What is done to each file, and what its value is.
        options: What ``--option`` takes.
        make: Builds the task function from the options given.
    """

    name: str
    meaning: str
    options: tuple[TaskOption, ...]
    make: Callable[..., Callable[[str], Any]]


DEFAULT_TASK = "checksum"

BUILT_IN: tuple[BuiltInTask, ...] = (
    BuiltInTask(
        name="checksum",
        meaning="Read each file and give its digest, as sha256sum does.",
        options=(
            TaskOption(
                "algorithm", "sha256", "|".join(ALGORITHMS), "blake3 needs fsworkers[blake3]"
            ),
        ),
        make=Checksum,
    ),
)


def make_task(name: str, options: Mapping[str, str]) -> Callable[[str], Any]:
    """Build the task function of a built-in task.

    Raises:
        TaskNotFound: There is no such task; the message lists those there are.
        BadOption: It has no such option.
        BadSetting: The option can't have that value.
        MissingExtra: It needs a package that is not installed.
    """
    for task in BUILT_IN:
        if task.name == name:
            known = {option.name for option in task.options}
            for key in options:
                if key not in known:
                    accepted = ", ".join(sorted(known))
                    raise BadOption(f"task {name} has no option {key!r}; it has {accepted}")
            return task.make(**options)
    names = ", ".join(task.name for task in BUILT_IN)
    raise TaskNotFound(name, f"there is no such task; built in: {names} (--call takes your own)")
