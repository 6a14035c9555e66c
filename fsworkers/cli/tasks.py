"""``fsworkers tasks``: what is built in, with options."""

from __future__ import annotations

from fsworkers.cli.exits import write_out
from fsworkers.tasks.registry import BUILT_IN


def tasks() -> None:
    """List the built-in tasks with their options."""
    lines = []
    for task in BUILT_IN:
        lines.append(f"{task.name}: {task.meaning}\n")
        lines += [
            f"  --option {option.name}={option.accepted}"
            f"  (default {option.default}; {option.meaning})\n"
            for option in task.options
        ]
    lines.append(
        "Your own: --call MODULE:FUNCTION or --call file.py:FUNCTION.\n"
        "  --option KEY=VALUE is passed to it by keyword, as what it is annotated with\n"
    )
    write_out("".join(lines))
