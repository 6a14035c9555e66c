"""``fsworkers tasks``: which tasks there are, and what each takes and gives."""

from __future__ import annotations

from fsworkers.cli.exits import DONE, write_out
from fsworkers.cli.stdout import stdout_to_stderr
from fsworkers.errors import FsworkersError
from fsworkers.names import printable
from fsworkers.tasks.registry import BUILT_IN, all_tasks, meaning_of, options_of, task_class
from fsworkers.tasks.task import columns_of

_OWN = (
    "Your own: --call MODULE:FUNCTION or --call file.py:FUNCTION; --option KEY=VALUE is passed to\n"
    "it by keyword, as what it is annotated with. Any command: -x CMD.\n"
)


def tasks(*, name: str | None) -> int:
    """List the tasks, or tell of one its options, what its value holds, and an example."""
    with stdout_to_stderr():
        text = _listed() if name is None else _whole(name)
    write_out(text)
    return DONE


def _listed() -> str:
    lines: list[str] = []
    for each, kind in all_tasks():
        if isinstance(kind, FsworkersError):
            lines.append(f"{printable(str(kind))}\n")
        else:
            lines.append(f"{each}: {meaning_of(kind)}\n")
            lines += [f"  --option {one}\n" for one in options_of(kind)]
    return "".join([*lines, _OWN])


def _whole(name: str) -> str:
    kind = task_class(name)
    lines = [f"{name}: {meaning_of(kind)}"]
    if name not in BUILT_IN:
        lines.append(f"  from {kind.__module__}")
    for heading, entries in (
        ("Options", [f"--option {one}  {one.meaning}" for one in options_of(kind)]),
        (
            "Value",
            [
                f"{one.name}  {one.type}{f', {one.unit}' if one.unit else ''}  {one.meaning}"
                for one in columns_of(kind)
            ],
        ),
        ("Example", [getattr(kind, "example", "")]),
    ):
        if any(entries):
            lines += [heading, *(f"  {one}".rstrip() for one in entries)]
    return "\n".join(lines) + "\n"
