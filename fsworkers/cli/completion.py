"""What the shell offers behind an option."""

from __future__ import annotations

from collections.abc import Iterator

import typer

from fsworkers.cli.stdout import stdout_to_stderr


def task_names(incomplete: str) -> Iterator[tuple[str, str]]:
    """The tasks that there are, with what they do."""
    from fsworkers.tasks.registry import all_tasks, meaning_of  # noqa: PLC0415  (only for shells)

    with stdout_to_stderr():
        tasks = list(all_tasks())
    for name, kind in tasks:
        if isinstance(kind, type) and name.startswith(incomplete):
            yield name, meaning_of(kind)


def task_options(context: typer.Context, incomplete: str) -> Iterator[tuple[str, str]]:
    """The options of the task that is named, and behind ``=`` what one takes."""
    from fsworkers.tasks.registry import DEFAULT_TASK, options_of, task_class  # noqa: PLC0415

    with stdout_to_stderr():
        options = options_of(task_class(context.params.get("task") or DEFAULT_TASK))
    for one in options:
        words = one.type.split("|")
        values = words if len(words) > 1 else [""]
        for value in values if incomplete.startswith(f"{one.name}=") else [""]:
            if f"{one.name}={value}".startswith(incomplete):
                yield f"{one.name}={value}", one.meaning


def run_names(incomplete: str) -> Iterator[tuple[str, str]]:
    """The runs that are recorded, with what was run."""
    from fsworkers.journal.places import find_runs  # noqa: PLC0415

    for located in find_runs(None):
        if located.run.id.startswith(incomplete):
            yield located.run.id, located.run.command
