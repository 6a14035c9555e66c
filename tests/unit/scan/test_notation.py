"""How instants, owners, types, extensions, regular expressions and samples are written."""

from __future__ import annotations

import grp
import os
import pwd
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsworkers.scan.choice import chosen
from fsworkers.scan.instants import parse_instant
from fsworkers.scan.notation import (
    Owner,
    Sample,
    extension_suffix,
    parse_kind,
    parse_owner,
    parse_sample,
)
from fsworkers.scan.options import ScanOptions
from fsworkers.scan.regexes import compile_regex

if TYPE_CHECKING:
    from collections.abc import Callable

    from fsworkers.model import Entry

NOW = 1_767_225_600.0


def local(*parts: int) -> float:
    """A local time, in seconds since 1970."""
    return datetime(*parts).timestamp()  # type: ignore[arg-type]  # noqa: DTZ001


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2h", NOW - 7200),
        ("2weeks", NOW - 1_209_600),
        ("1h 30min", NOW - 5400),
        ("2026-01-31", local(2026, 1, 31)),
        (" 2026-01-31 12:00:05 ", local(2026, 1, 31, 12, 0, 5)),
        ("2026-01-31T12:00:00", local(2026, 1, 31, 12)),
        ("2026-01-01T00:00:00Z", NOW),
        ("2026-01-01 02:00:00+02:00", NOW),
        ("@1767225600", NOW),
        ("@-1.5", -1.5),
    ],
)
def test_instant_is_read_as_fd_reads_it(text: str, expected: float) -> None:
    """How long ago, or a date; local unless it names a zone."""
    assert parse_instant(text, NOW) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "2026", "2026-13-01", "@", "@x", "5", "@\u0661"])
def test_bad_instant_shows_examples(text: str) -> None:
    """Of both kinds."""
    with pytest.raises(ValueError, match=r"2h.*2026-01-31.*@1767225600"):
        parse_instant(text, NOW)


def test_owner_is_read_as_fd_reads_it() -> None:
    """By name or number, either side alone, each with a ``!`` of its own."""
    user, group = pwd.getpwuid(0).pw_name, grp.getgrgid(0).gr_name
    assert parse_owner(user) == parse_owner("0") == parse_owner("0:") == Owner(0)
    assert parse_owner(f":{group}") == Owner(None, 0)
    assert parse_owner(f"!{user}:7") == Owner(0, 7, is_not_user=True)
    assert parse_owner("1:!7") == Owner(1, 7, is_not_group=True)
    for wrong in ("", ":", "!", "no such user", ":no such group", "0:0:0", str(2**40)):
        with pytest.raises(ValueError, match="ada:staff"):
            parse_owner(wrong)


def test_owner_owns_what_is_theirs() -> None:
    """Both sides must be right."""
    mine = os.stat_result((0o100644, 1, 1, 1, 5, 7, 0, 0, 0, 0))
    for owner in (Owner(5), Owner(None, 7), Owner(5, 7), Owner(6, 8, True, True)):
        assert owner.owns(mine)
    for owner in (Owner(6), Owner(5, 8), Owner(5, None, True), Owner(5, 7, False, True)):
        assert not owner.owns(mine)


def test_sample_is_a_number_or_a_share() -> None:
    """And never nothing, nor more than all."""
    assert parse_sample("100") == Sample(count=100)
    assert parse_sample(" 2.5 % ") == Sample(share=0.025)
    for wrong in ("", "0", "0%", "101%", "-1", "1.5", "x%", "\u0663"):
        with pytest.raises(ValueError, match=r"100.*5%"):
            parse_sample(wrong)


def test_extension_has_a_dot_or_none() -> None:
    """Case does not matter, and inner dots belong to it."""
    assert extension_suffix("JPG") == extension_suffix(".jpg") == ".jpg"
    assert extension_suffix("tar.gz") == ".tar.gz"
    for wrong in ("", ".", "a/b"):
        with pytest.raises(ValueError, match=r"tar\.gz"):
            extension_suffix(wrong)


def test_type_has_fd_s_letters() -> None:
    """Only those that a file can be."""
    assert (parse_kind("e"), parse_kind("executable")) == ("empty", "executable")
    with pytest.raises(ValueError, match=r"'d' is not a type.*empty or executable"):
        parse_kind("d")


def test_capital_letters_of_a_regular_expression() -> None:
    """They count where they are letters to be found."""
    assert compile_regex(r"^\W\S(?P<x>a)").search("-xA")
    assert not compile_regex("[A-Z]x").search("ax")
    assert compile_regex("a.b").search("A\nB")
    for wrong in ("", "(", "[a", "a**"):
        with pytest.raises(ValueError, match="regular expression"):
            compile_regex(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"extensions": "."},
        {"regexes": "("},
        {"kinds": "d"},
        {"owner": "no such user"},
        {"sample": 0},
        {"limit": 0},
        {"min_depth": -1},
    ],
)
def test_bad_filters_are_refused_at_once(wrong: dict[str, object]) -> None:
    """Before the scan is under way."""
    with pytest.raises(ValueError, match=r"."):
        ScanOptions(**wrong)  # type: ignore[arg-type]


def choose(lists: list[list[str]], **options: object) -> list[str]:
    """What is chosen of some lists, none of them empty."""
    found: list[list[str] | Entry] = [*chosen(iter(lists), ScanOptions(**options))]  # type: ignore[arg-type]
    assert all(found)
    return [path for each in found if isinstance(each, list) for path in each]


PATHS = [f"{number}\udcff" for number in range(2000)]


@pytest.mark.parametrize("sample", [7, "10%"])
def test_a_sample_depends_on_paths_and_seed_alone(sample: int | str) -> None:
    """Not on the order in which they come, nor on what comes with them."""
    one = choose([PATHS[:10], PATHS[10:]], sample=sample)
    assert one == [path for path in PATHS if path in one]  # in the order they were found
    again = choose([PATHS[:3:-1], PATHS[3::-1]], sample=sample)
    assert set(again) == set(one)
    assert set(choose([PATHS], sample=sample, seed=1)) != set(one)
    assert len(one) == 7 if sample == 7 else 150 < len(one) < 250
    assert choose([PATHS], sample=sample, limit=3) == one[:3]


def test_a_sample_of_more_than_there_is_is_all() -> None:
    """Like a limit, which takes the first ones."""
    assert choose([PATHS[:3]], sample=9) == choose([PATHS[:3]], sample="100%") == PATHS[:3]
    assert choose([PATHS[:2], PATHS[2:4]], limit=3) == PATHS[:3]
    assert choose([PATHS[:2]], limit=2) == choose([PATHS[:2]], limit=5) == PATHS[:2]


@given(st.text(max_size=12))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No parser fails in another way than ValueError."""
    parsers: list[Callable[[str], object]] = [
        parse_owner, parse_sample, extension_suffix, parse_kind, compile_regex,
        lambda text: parse_instant(text, NOW),
    ]  # fmt: skip
    for parse in parsers:
        with suppress(ValueError):
            parse(text)
