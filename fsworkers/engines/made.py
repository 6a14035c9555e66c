"""What files are found, where each is to have an output of its own."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fsworkers.errors import BadOption
from fsworkers.model import Entry
from fsworkers.names import printable
from fsworkers.scan.roots import tidy
from fsworkers.scan.tree import choice_of, scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from fsworkers.scan.options import ScanOptions
    from fsworkers.scan.roots import AnyPath
    from fsworkers.tasks.outputs import Claims, Outputs

MOST_LOOKED_AT = 200_000
"""Files whose outputs are compared before anything runs."""


def outputs_of(function: Any) -> Outputs | None:
    """What names the outputs of a task function; ``None`` where it makes none."""
    outputs: Outputs | None = getattr(function, "outputs", None)
    return outputs if hasattr(outputs, "name_for") else None


def stamp_of(function: Any) -> Callable[[str], int | None] | None:
    """What gives the stamp of a file's output; ``None`` where the journal keeps none."""
    outputs = outputs_of(function)
    return outputs.stamp if outputs is not None and outputs.are_known else None


def with_one_maker(
    found: Iterable[list[str] | Entry], outputs: Outputs | None
) -> Iterable[list[str] | Entry]:
    """Let files through whose output, if any, no file before them has; the others have failed."""
    if outputs is None or outputs.is_injective:
        return found
    from fsworkers.tasks.outputs import Claims  # noqa: PLC0415  (few runs make outputs)

    return _first_makers(found, Claims(outputs))


def _first_makers(
    found: Iterable[list[str] | Entry], claims: Claims
) -> Iterator[list[str] | Entry]:
    for one in found:
        if isinstance(one, Entry):
            yield one
            continue
        clashes = [claims.clash(path) for path in one]
        if not any(clashes):
            yield one
            continue
        if left := [path for path, clash in zip(one, clashes, strict=True) if clash is None]:
            yield left
        for path, clash in zip(one, clashes, strict=True):
            if clash is not None:
                yield Entry(path, "failed", clash)


def refuse_clash(found: Iterable[list[str] | Entry], outputs: Outputs) -> None:
    """Look whether two files have one output, or one would be its own, before anything runs.

    Raises:
        BadOption: So it is, of the first ones at least.
    """
    if outputs.is_injective:
        return
    from fsworkers.tasks.outputs import Claims  # noqa: PLC0415  (as above)

    claims, count = Claims(outputs), 0
    for one in found:
        if isinstance(one, list):
            for path in one:
                if outputs.is_itself(path):
                    raise BadOption(
                        f"{printable(outputs.asked)}'{printable(path)}' would become itself; give "
                        "it an output of another name, or leave it out"
                    )
                if (taken := claims.taken(path)) is not None:
                    raise BadOption(
                        f"{printable(outputs.asked)}'{printable(taken[1])}' and "
                        f"'{printable(path)}' would both become '{printable(taken[0])}'; "
                        "leave one out, or give each file an output of its own"
                    )
            count += len(one)
            if count > MOST_LOOKED_AT:
                return


def outside(
    paths: Sequence[AnyPath],
    options: ScanOptions,
    own: Iterable[AnyPath],
    folders: Sequence[str | None],
) -> Iterable[list[str] | Entry]:
    """Scan, without what is below directories that outputs are made in, where these are in PATHs.

    Args:
        paths: As of ``scan``; and the next two.
        options: What is left out does not count for its ``limit`` and ``sample``.
        own: Files that this run writes.
        folders: The directories; one that a PATH is, or is below, is looked into all the same.
    """
    prefixes = []
    for root in map(tidy, paths):
        real = os.path.realpath(root)
        for folder in [os.path.realpath(folder) for folder in folders if folder is not None]:
            below = os.path.relpath(folder, real)
            if below != "." and not below.startswith(".."):
                prefixes.append(os.path.join(root, below, ""))
    if not prefixes:
        return scan(paths, options, own=own)
    everything = scan(paths, replace(options, limit=None, sample=None), own=own)
    return choice_of(_not_below(everything, tuple(prefixes)), options)


def _not_below(
    found: Iterable[list[str] | Entry], prefixes: tuple[str, ...]
) -> Iterator[list[str] | Entry]:
    for one in found:
        if isinstance(one, Entry):
            if not one.path.startswith(prefixes):
                yield one
        elif left := [path for path in one if not path.startswith(prefixes)]:
            yield left
