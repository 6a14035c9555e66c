"""Options from files and the environment: what stands where, what goes before what.

Weakest first: the user's file, the project's file, a profile of either, the environment. What is
typed goes before all of them. They become click's ``default_map``, so that a value from a file is
read and refused like one that is typed.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from datetime import date, datetime
from difflib import get_close_matches
from inspect import signature
from typing import TYPE_CHECKING, Any, NamedTuple, get_args, get_origin, get_type_hints

from fsworkers.errors import BadOption
from fsworkers.names import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import typer

PREFIX = "FSWORKERS_"
PROFILE = "FSWORKERS_PROFILE"
NAME = "fsworkers.toml"

_COMMANDS = frozenset({"exec", "exec-batch", "exec_batch"})

_ABOUT_THIS = frozenset({"profile", "show-config", "dry-run"})

_BY_NAME_ONLY = frozenset(
    {
        "task",
        "call",
        "exec",
        "exec-batch",
        "to",
        "output",
        "results",
        "summary",
        "metrics",
        "journal",
    }
)
"""What runs code or writes files: a directory that is only entered shall not decide that."""


_FUNCTION = {"option", "to", "always"}
_COMMAND = {"stdin", "results", "retry_on", "tag", "line_buffer", "to", "always"}
_BATCHES = {"batch_size", "bisect", "retry_on", "tag", "line_buffer"}

_CHOICES: tuple[dict[str, set[str]], ...] = (
    {"task": _FUNCTION, "call": _FUNCTION, "exec_": _COMMAND, "exec_batch": _BATCHES},
    {"journal": set(), "no_journal": set()},
)
"""Parameters of which one is chosen, each with those that are about it and not about all."""

_TASKS = frozenset({"task", "call"})
"""What is chosen and has options."""

_ACCEPTED: dict[object, tuple[set[type], str]] = {
    bool: ({bool, str}, "true or false"),
    int: ({int, str}, "a whole number"),
    float: ({int, float, str}, "a number"),
}
"""What may stand in a file, by an option's type: a text is read as one that is typed."""

_TEXT = {str, int, float, date, datetime}, "a text"


class Setting(NamedTuple):
    """A value, and where it stands.

    Attributes:
        value: As it was read.
        where: A file, with the profile; or a variable.
        is_weaker: Of a task's options: the task is that of a stronger source.
    """

    value: Any
    where: str
    is_weaker: bool = False


class Layer(NamedTuple):
    """What a file holds.

    Attributes:
        where: Its name.
        table: Its keys, and profiles in a table of their own.
        is_user_s: Whether it is that of the user, who may decide everything there.
    """

    where: str
    table: Mapping[str, Any]
    is_user_s: bool = False


class Option(NamedTuple):
    """An option of a command, as its declaration has it.

    Attributes:
        parameter: The name of the function's parameter.
        takes_many: Whether it is repeatable.
        kind: The type of a value.
    """

    parameter: str
    takes_many: bool
    kind: type


def options_of(command: Callable[..., Any]) -> dict[str, Option]:
    """The options of a command by their long names, without dashes in front."""
    hints = get_type_hints(command, include_extras=True)
    known = {}
    for name in signature(command).parameters:
        kind, *declared = get_args(hints[name]) or (hints[name],)
        if not declared:
            continue  # typer's own
        # typer keeps the first of its names where a default would be.
        names = [
            one
            for each in declared
            for one in (getattr(each, "default", None), *(getattr(each, "param_decls", None) or ()))
        ]
        long = [one for one in names if isinstance(one, str) and one.startswith("--")]
        key = long[0].partition("/")[0].removeprefix("--") if long else name.replace("_", "-")
        one_or_many = next(iter(get_args(kind)), kind)  # the first of a union is not None
        known[key] = Option(name, get_origin(one_or_many) is list, one_or_many)
    return known


def profile_in(arguments: list[str], environment: Mapping[str, str]) -> str | None:
    """The profile that is asked for."""
    for at, one in enumerate(arguments):
        if one == "--profile":
            return arguments[at + 1] if at + 1 < len(arguments) else None
        if one.startswith("--profile="):
            return one.partition("=")[2]
    return environment.get(PROFILE) or None


def load(command: Callable[..., Any], arguments: list[str]) -> dict[str, Setting]:
    """What files and the environment say of a command's options, by parameter.

    Raises:
        BadOption: Something there is not understood.
    """
    try:
        directory = os.getcwd()
    except FileNotFoundError:  # it was deleted: nothing is there
        directory = "/"
    layers = [*layers_from(directory)]
    profile = profile_in(arguments, os.environ)
    if not layers and profile is None and not any(one.startswith(PREFIX) for one in os.environ):
        return {}
    return settings_for(options_of(command), layers, os.environ, profile)


def settings_for(
    known: Mapping[str, Option],
    layers: Iterable[Layer],
    environment: Mapping[str, str],
    profile: str | None,
) -> dict[str, Setting]:
    """What files and the environment say, by parameter.

    Args:
        known: The options there are.
        layers: Files, the weakest first.
        environment: Variables; those that begin with ``FSWORKERS_`` are options.
        profile: The one asked for.

    Raises:
        BadOption: A key is none of an option's, or there is no such profile.
    """
    found: dict[str, Setting] = {}
    chosen: list[tuple[str, Mapping[str, Any]]] = []
    profiles: list[str] = []
    for where, table, is_user_s in layers:
        own = {key: value for key, value in table.items() if key != "profile"}
        for key in own:
            if _plain(key) in _BY_NAME_ONLY and not is_user_s:
                raise BadOption(
                    f"{printable(where)}: {key} stands in a profile, as in [profile.nightly], "
                    "which --profile asks for: a directory alone does not decide it"
                )
        found = _over(found, _read(own, known, where))
        of_file = table.get("profile", {})
        tables = [of_file, *of_file.values()] if isinstance(of_file, dict) else [None]
        if not all(isinstance(one, dict) for one in tables):
            raise BadOption(f"{printable(where)}: a profile is a table, as in [profile.nightly]")
        profiles += of_file
        if profile in of_file:
            chosen.append((f"{where}, profile {profile}", of_file[profile]))
    if profile is not None and not chosen:
        raise BadOption(f"there is no profile {profile!r}{_nearest(profile, profiles)}")
    for where, table in chosen:
        found = _over(found, _read(table, known, where))
    variables: dict[str, Setting] = {}
    for name, text in sorted(environment.items()):
        if name.startswith(PREFIX) and name != PROFILE and text:
            key = _plain(name.removeprefix(PREFIX).lower())
            option = _known(key, known, name)
            value = _words(text, name) if option.takes_many else text
            variables[option.parameter] = Setting(value, name)
    return _over(found, variables)


def _over(weaker: dict[str, Setting], stronger: dict[str, Setting]) -> dict[str, Setting]:
    chosen = [name for name, one in stronger.items() if one.value]  # no-journal = false is none
    left = without_replaced(weaker, chosen)
    if "option" in left and not _TASKS.isdisjoint(chosen):
        left["option"] = left["option"]._replace(is_weaker=True)
    return left | stronger


def without_replaced(weaker: Mapping[str, Any], stronger: Iterable[str]) -> dict[str, Any]:
    """What is left of a source's parameters where a stronger one has these.

    A choice replaces the others of its kind, and what is about those alone.
    """
    replaced: set[str] = set()
    for choice in _CHOICES:
        if chosen := choice.keys() & stronger:
            about = set().union(*(choice[one] for one in chosen))
            replaced |= choice.keys() | set().union(*choice.values()) - about
    return {name: value for name, value in weaker.items() if name not in replaced}


def without_misfits(
    left: dict[str, Any], typed: Mapping[str, Any], settings: Mapping[str, Setting]
) -> dict[str, Any]:
    """What is left of all sources, without options of another task than a stronger one chose.

    Args:
        left: By parameter.
        typed: What is stronger than all of them.
        settings: Where they stand.
    """
    if "option" not in left or "option" in typed:
        return left
    if _TASKS.isdisjoint(typed) and not settings["option"].is_weaker:
        return left
    from fsworkers.cli.task_options import fitting  # noqa: PLC0415  (only with some)

    options = fitting(left["option"], {**left, **typed})
    others = {name: value for name, value in left.items() if name != "option"}
    return others | {"option": options} if options else others


def _read(table: Mapping[str, Any], known: Mapping[str, Option], where: str) -> dict[str, Setting]:
    found = {}
    for key, value in table.items():
        option = _known(_plain(key), known, where, is_table=isinstance(value, dict))
        if not option.takes_many and isinstance(value, (dict, list)):
            raise BadOption(f"{printable(where)}: {key} takes one value, not {len(value)}")
        if key in _COMMANDS and isinstance(value, str):
            value = _words(value, f"{where}: {key}")  # noqa: PLW2901  (as in the environment)
        if key == "option" and isinstance(value, dict):  # algorithm = "md5" as it is typed
            value = [f"{name}={_typed(each)}" for name, each in value.items()]  # noqa: PLW2901
        values = value if isinstance(value, list) else [value]
        for one in values:
            types, accepted = _ACCEPTED.get(option.kind, _TEXT)
            if type(one) not in types:
                shown_value = printable(_typed(one))
                raise BadOption(f"{printable(where)}: {key} is {shown_value}; give {accepted}")
        found[option.parameter] = Setting(values if option.takes_many else value, where)
    return found


def _words(text: str, where: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise BadOption(f"{printable(where)}: {error}, in {text!r}") from error


def _typed(value: Any) -> str:
    """The value of a task's option as one would type it."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(_typed, value)) if isinstance(value, list) else str(value)


def _plain(key: str) -> str:
    return key.replace("_", "-")


def _known(key: str, known: Mapping[str, Option], where: str, *, is_table: bool = False) -> Option:
    if key not in known or key in _ABOUT_THIS:
        names = [one for one in known if one not in _ABOUT_THIS]
        names += ["profile"] * is_table
        raise BadOption(f"{printable(where)}: there is no option {key!r}{_nearest(key, names)}")
    return known[key]


def _nearest(name: str, names: Iterable[str]) -> str:
    near = get_close_matches(name, list(names), 1)
    if near:
        return f"; did you mean {near[0]}?"
    listed = ", ".join(sorted(names))
    return f"; there are {listed}" if listed else "; no file has one"


# Looking for files


def user_file() -> str:
    """The user's own configuration."""
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return os.path.join(base, "fsworkers", "config.toml")


def layers_from(directory: str) -> Iterator[Layer]:
    """The user's file, and the nearest one of a project up the tree.

    Raises:
        BadOption: One can't be read, or is no TOML.
    """
    own = user_file()
    if (table := _table(own, is_ours=True)) is not None:
        yield Layer(own, table, is_user_s=True)
    while True:
        for name, is_ours in ((NAME, True), ("pyproject.toml", False)):
            path = os.path.join(directory, name)
            if (table := _table(path, is_ours=is_ours)) is not None:
                yield Layer(path, table)
                return
        above = os.path.dirname(directory)
        if above == directory:
            return
        directory = above


def _table(path: str, *, is_ours: bool) -> dict[str, Any] | None:
    """Our part of a regular file; ``None`` if there is none."""
    if not os.path.isfile(path):  # to open a FIFO would be to wait for somebody who writes to it
        return None
    try:
        with open(path, "rb") as file:
            text = file.read()
    except OSError as error:
        raise BadOption(f"{printable(path)}: {error.strerror}") from error
    if not is_ours and b"fsworkers" not in text:
        return None
    import tomllib  # noqa: PLC0415  (only where there is a file)

    try:
        table: dict[str, Any] = tomllib.loads(text.decode())
    except ValueError as error:
        raise BadOption(f"{printable(path)}: {error}") from error
    part: Any = table
    for key in () if is_ours else ("tool", "fsworkers"):
        part = part.get(key) if isinstance(part, dict) else None
    if not isinstance(part, (dict, type(None))):
        raise BadOption(f"{printable(path)}: tool.fsworkers is a table, as in [tool.fsworkers]")
    return part


def shown(context: typer.Context) -> str:
    """What each option of a command is, and where that stands, as TOML that means the same."""
    settings: Mapping[str, Setting] = context.obj or {}
    lines = []
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        key = max((one.strip("-") for one in parameter.opts), key=len)
        if key in _ABOUT_THIS:
            continue
        value = context.params.get(name)
        where = "command line"
        if source is not None and source.name == "DEFAULT_MAP":
            where = settings[name].where
        elif source is None or source.name.startswith("DEFAULT"):
            where = "default"
        if where == "default" and value in (None, [], ()):
            lines.append(f"# {key} =\n")
        else:
            lines.append(f"{key} = {_written(value)}  # {printable(where)}\n")
    return "".join(lines)


def _written(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, (bool, int, float)):
        return str(value).lower()
    text = "".join(map(_escaped, os.fspath(value)))
    return f'"{text}"'


def _escaped(one: str) -> str:
    if one in {'"', "\\"}:
        return f"\\{one}"
    return one if one.isprintable() else f"\\U{ord(one):08X}"
