r"""Lines of a template's making: ``{path}\t{value}\t{size}``.

In a pipe every byte is what it is; on a terminal what is put in is escaped. A newline follows, if
the template does not end with an escape of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from string import Formatter
from typing import TYPE_CHECKING, Any, NamedTuple

from fsworkers.errors import BadTemplate
from fsworkers.model import Outcome
from fsworkers.names import printable
from fsworkers.sinks.columns import iso_time
from fsworkers.sinks.csv_rows import field
from fsworkers.sinks.plain import lossy
from fsworkers.sinks.sink import Lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from fsworkers.sinks.output import Output
    from fsworkers.sinks.sink import DoneEncoder

__all__ = ["Template", "TemplateSink", "parse", "shown_fields"]

_FIELDS: dict[str, Callable[[Outcome], Any]] = {
    "path": lambda one: one.path,
    "value": lambda one: one.value,
    "status": lambda one: one.status,
    "error": lambda one: one.error,
    "size": lambda one: one.size,
    "attempts": lambda one: one.attempts,
    "duration_s": lambda one: round(one.duration_s, 6),
    "worker": lambda one: one.worker,
    "mtime": lambda one: None if one.mtime_ns is None else iso_time(one.mtime_ns),
}

_ESCAPES = {"\\t": "\t", "\\n": "\n", "\\r": "\r", "\\0": "\0", "\\\\": "\\"}


class Template(NamedTuple):
    """A template that has been understood; it makes the lines of files that are done in the worker.

    Attributes:
        parts: Text, and names: a field's, and keys below it.
        only: The task's only column, which a value that is no mapping is.
        is_shown: They go to a terminal.
    """

    parts: tuple[str | tuple[str, ...], ...]
    only: str | None = None
    is_shown: bool = False

    def __call__(
        self,
        paths: Sequence[str],
        values: Sequence[Any],
        sizes: Sequence[int | None],
        durations_s: Sequence[float],
        attempts: int,
        worker: int,
        mtimes_ns: Sequence[int | None],
    ) -> bytes:
        """See ``DoneEncoder``."""
        rows = zip(paths, values, sizes, durations_s, mtimes_ns, strict=True)
        return self.lines(
            Outcome(path, "done", value, None, attempts, size, seconds, worker, None, mtime_ns)
            for path, value, size, seconds, mtime_ns in rows
        )

    def lines(self, outcomes: Iterable[Outcome]) -> bytes:
        """What it makes of outcomes."""
        parts = self.parts
        text = "".join(
            part if isinstance(part, str) else self._shown(part, one)
            for one in outcomes
            for part in parts
        )
        return text.encode(errors="surrogateescape")

    def _shown(self, names: tuple[str, ...], outcome: Outcome) -> str:
        value = _FIELDS[names[0]](outcome)
        for name in names[1:]:
            if isinstance(value, Mapping):
                value = value.get(name)
            elif names != ("value", self.only):
                value = None
        if value is None:
            return ""
        if names != ("path",):
            value = field(lossy(value) if isinstance(value, str) else value)
        return printable(str(value)) if self.is_shown else str(value)


class TemplateSink(Lines):
    """Writes what a template makes of outcomes."""

    def __init__(self, output: Output, template: Template) -> None:
        super().__init__(output)
        self._template = template._replace(is_shown=output.width > 0)
        self.encode_done: DoneEncoder = self._template

    def write(self, outcomes: Sequence[Outcome]) -> None:
        """Write a batch; see ``Sink.write``."""
        self.output.write(self._template.lines(outcomes))


def parse(text: str, columns: Sequence[str] = ()) -> Template:
    """Understand a template.

    Args:
        text: Braces are doubled to be themselves.
        columns: Keys of the task's values that may be named without ``value.``.

    Raises:
        BadTemplate: It has a field that there is not, or braces that mean nothing.
    """
    parts: list[str | tuple[str, ...]] = []
    try:
        parsed = [*Formatter().parse(text)]
    except ValueError as error:
        raise BadTemplate(text, f"{error}; a brace of its own is doubled, {{{{") from error
    for literal, name, spec, conversion in parsed:
        if literal:
            parts.append(re.sub(r"\\[tnr0\\]", lambda found: _ESCAPES[found[0]], literal))
        if name is not None:
            if spec or conversion:
                raise BadTemplate(text, f"{{{name}}} takes no : and no !")
            parts.append(_names(text, name, columns))
    if not re.search(r"(?<!\\)(\\\\)*\\[n0]$", text):
        parts.append("\n")
    return Template(tuple(parts), columns[0] if len(columns) == 1 else None)


def _names(text: str, name: str, columns: Sequence[str]) -> tuple[str, ...]:
    first, *keys = name.split(".")
    if name in _FIELDS or (first == "value" and all(keys)):
        return (first, *keys)
    if name in columns:
        return ("value", name)
    own = "".join(f", {{{one}}}" for one in columns if one not in _FIELDS)
    raise BadTemplate(
        text, f"there is no {{{name}}}; there are {shown_fields()}{own}, and {{value.KEY}}"
    )


def shown_fields() -> str:
    """The fields of any outcome, as they are written."""
    return ", ".join(f"{{{one}}}" for one in _FIELDS)
