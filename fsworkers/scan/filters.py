"""Which names and files a scan takes, decided from ``ScanOptions``; nothing is opened here.

What files of patterns leave out is decided in ``ignoring``, how many are taken in ``choice``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from fsworkers.scan.globs import compile_glob
from fsworkers.scan.options import parse_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
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
        takes_file: Whether a regular file passes by what ``stat`` tells.
    """

    takes_name: NameTest | None
    takes_given: NameTest | None
    enters: NameTest | None
    takes_file: Callable[[stat_result], bool] | None


def filters_of(options: ScanOptions) -> Filters:
    """Compile the options; ages count back from this moment."""
    excludes = options.excludes
    excluded = _any_of([_name_test(each) for each in excludes if not each.endswith("/")])
    excluded_directory = _any_of([_name_test(each.rstrip("/")) for each in excludes])
    wanted = [
        test
        for test in (
            _any_of([_name_test(each, each == each.lower()) for each in options.globs]),
            _any_of([_regex_test(each) for each in options.regexes]),
            _extension_test(options.extensions),
        )
        if test is not None
    ]
    return Filters(
        takes_name=_name_filter(options.skip_hidden, excluded, wanted),
        takes_given=_name_filter(False, excluded, wanted),
        enters=_name_filter(options.skip_hidden, excluded_directory, []),
        takes_file=_file_filter(options),
    )


def _name_test(pattern: str, ignore_case: bool = False) -> NameTest:
    regex = compile_glob(pattern.removeprefix("/"), ignore_case=ignore_case)
    matches = regex.fullmatch
    if "/" in pattern:
        return lambda _name, below: matches(below) is not None
    return lambda name, _below: matches(name) is not None


def _regex_test(pattern: str) -> NameTest:
    from fsworkers.scan.regexes import compile_regex  # noqa: PLC0415  (rare; likewise below)

    search = compile_regex(pattern).search
    if "/" in pattern:
        return lambda _name, below: search(below) is not None
    return lambda name, _below: search(name) is not None


def _extension_test(extensions: Sequence[str]) -> NameTest | None:
    if not extensions:
        return None
    from fsworkers.scan.notation import extension_suffix  # noqa: PLC0415

    suffixes = tuple(map(extension_suffix, extensions))
    # The first character may be a dot that makes a name hidden, and begins no extension.
    return lambda name, _below: name.lower().endswith(suffixes, 1)


def _any_of(tests: list[NameTest]) -> NameTest | None:
    if len(tests) <= 1:
        return tests[0] if tests else None
    return lambda name, below: any(test(name, below) for test in tests)


def _name_filter(
    skip_hidden: bool,
    excluded: NameTest | None,
    wanted: list[NameTest],
) -> NameTest | None:
    if not skip_hidden and excluded is None and not wanted:
        return None

    def passes(name: str, below: str) -> bool:
        if skip_hidden and name.startswith("."):
            return False
        if excluded is not None and excluded(name, below):
            return False
        return all(test(name, below) for test in wanted)

    return passes


def _file_filter(options: ScanOptions) -> Callable[[stat_result], bool] | None:
    tests: list[Callable[[stat_result], bool]] = []
    if options.sizes:
        sizes = [*map(parse_size, options.sizes)]
        tests.append(lambda status: all(size.has(status.st_size) for size in sizes))
    if options.changed_within_s is not None:
        # A file's age is kept in wall clock time, so that is what it is compared with.
        oldest = time.time() - options.changed_within_s
        tests.append(lambda status: status.st_mtime >= oldest)
    after, before = options.changed_after, options.changed_before
    if after is not None:
        tests.append(lambda status: status.st_mtime > after)
    if before is not None:
        tests.append(lambda status: status.st_mtime < before)
    if options.kinds or options.owner is not None:
        tests += _mode_tests(options)
    if len(tests) <= 1:
        return tests[0] if tests else None
    return lambda status: all(test(status) for test in tests)


def _mode_tests(options: ScanOptions) -> Iterator[Callable[[stat_result], bool]]:
    from fsworkers.scan.notation import parse_kind, parse_owner  # noqa: PLC0415

    kinds = set(map(parse_kind, options.kinds))
    if "empty" in kinds:
        yield lambda status: status.st_size == 0
    if "executable" in kinds:
        yield lambda status: status.st_mode & 0o111 != 0
    if options.owner is not None:
        yield parse_owner(options.owner).owns
