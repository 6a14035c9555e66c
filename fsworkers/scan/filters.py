"""Which names and files a scan takes, decided from ``ScanOptions``; nothing is opened here."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from fsworkers.scan.globs import compile_glob

if TYPE_CHECKING:
    from os import stat_result

    from fsworkers.scan.options import ScanOptions

__all__ = ["Filters", "filters_of"]

#: Takes a name and the path below the PATH argument.
NameTest: TypeAlias = Callable[[str, str], bool]


class Filters(msgspec.Struct, frozen=True):
    """Options, compiled. A test that would let everything through is ``None``: it costs nothing.

    Attributes:
        takes_name: Whether something that is not a directory passes by its name.
        takes_given: The same for a PATH argument, whose leading dot does not matter.
        enters: Whether a directory passes by its name.
        takes_file: Whether a regular file passes by its size and age.
    """

    takes_name: NameTest | None
    takes_given: NameTest | None
    enters: NameTest | None
    takes_file: Callable[[stat_result], bool] | None


def filters_of(options: ScanOptions) -> Filters:
    """Compile the options; ages count back from this moment."""
    excluded = _any_of([_name_test(each) for each in options.excludes if not each.endswith("/")])
    excluded_directory = _any_of([_name_test(each.rstrip("/")) for each in options.excludes])
    wanted = _any_of([_name_test(each) for each in options.globs])
    return Filters(
        takes_name=_name_filter(options.skip_hidden, excluded, wanted),
        takes_given=_name_filter(False, excluded, wanted),
        enters=_name_filter(options.skip_hidden, excluded_directory, None),
        takes_file=_file_filter(options),
    )


def _name_test(pattern: str) -> NameTest:
    regex = compile_glob(pattern.removeprefix("/"), ignore_case=pattern == pattern.lower())
    matches = regex.fullmatch
    if "/" in pattern:
        return lambda _name, below: matches(below) is not None
    return lambda name, _below: matches(name) is not None


def _any_of(tests: list[NameTest]) -> NameTest | None:
    if len(tests) <= 1:
        return tests[0] if tests else None
    return lambda name, below: any(test(name, below) for test in tests)


def _name_filter(
    skip_hidden: bool,
    excluded: NameTest | None,
    wanted: NameTest | None,
) -> NameTest | None:
    if not skip_hidden and excluded is None and wanted is None:
        return None

    def passes(name: str, below: str) -> bool:
        if skip_hidden and name.startswith("."):
            return False
        if excluded is not None and excluded(name, below):
            return False
        return wanted is None or wanted(name, below)

    return passes


def _file_filter(options: ScanOptions) -> Callable[[stat_result], bool] | None:
    sizes = options.sizes
    if not sizes and options.changed_within_s is None:
        return None
    oldest = 0.0
    if options.changed_within_s is not None:
        # A file's age is kept in wall clock time, so that is what it is compared with.
        oldest = time.time() - options.changed_within_s

    def passes(status: stat_result) -> bool:
        if options.changed_within_s is not None and status.st_mtime < oldest:
            return False
        return all(size.has(status.st_size) for size in sizes)

    return passes
