"""Sizes, ages and what a scan may be asked."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsworkers.scan.filters import filters_of
from fsworkers.scan.options import ScanOptions, SizeRange, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+10k", SizeRange(10_000, None)),
        ("-1M", SizeRange(0, 1_000_000)),
        ("500b", SizeRange(500, 500)),
        ("7", SizeRange(7, 7)),
        ("+1Ki", SizeRange(1024, None)),
        ("-2MiB", SizeRange(0, 2 * 1024**2)),
        ("+3gb", SizeRange(3 * 10**9, None)),
        ("+1ti", SizeRange(1024**4, None)),
    ],
)
def test_size_is_read_as_fd_reads_it(text: str, expected: SizeRange) -> None:
    """The sign says which end, the unit which power."""
    assert parse_size(text) == expected


def test_patterns_without_a_capital_ignore_case() -> None:
    """Of what is wanted."""
    for pattern, takes_small, takes_large in (("*.jpg", True, True), ("*.JPG", False, True)):
        wanted = filters_of(ScanOptions(globs=pattern)).takes_name
        assert wanted is not None
        for name, takes in (("a.jpg", takes_small), ("A.JPG", takes_large)):
            assert wanted(name, name) == takes


def test_what_is_left_out_is_so_by_its_exact_case() -> None:
    """As in fd; directories too."""
    options = ScanOptions(excludes=["*.tmp", "build/"])
    passes, enters = filters_of(options).takes_name, filters_of(options).enters
    assert passes is not None
    assert enters is not None
    assert [passes(name, name) for name in ("a.tmp", "B.TMP")] == [False, True]
    assert [enters(name, name) for name in ("build", "Build")] == [False, True]


@pytest.mark.parametrize("text", ["", "k", "10x", "1.5k", "+-3", "10 k b", "bi", "5bi", "٣k"])
def test_bad_size_says_what_is_accepted(text: str) -> None:
    """A usage error shows the notation."""
    with pytest.raises(ValueError, match=r"\+10k"):
        parse_size(text)


@given(st.integers(0, 10**12), st.sampled_from("kmgt"), st.booleans(), st.integers(0, 10**16))
def test_size_bounds_are_complementary(
    number: int, unit: str, binary: bool, size_bytes: int
) -> None:
    """A size is at least and at most a bound only when it is exactly that."""
    text = f"{number}{unit}{'i' if binary else ''}"
    least, most, exact = (parse_size(sign + text) for sign in ("+", "-", ""))
    assert (least.has(size_bytes) and most.has(size_bytes)) == exact.has(size_bytes)
    assert least.has(size_bytes) or most.has(size_bytes)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("10min", 600),
        ("5m", 300),
        ("2h", 7200),
        ("3d", 259_200),
        ("1w", 604_800),
        ("1h 30min", 5400),
        ("1h30m", 5400),
        ("1M", 30.44 * 86_400),
        ("2 Weeks", 1_209_600),
        ("1y", 365.25 * 86_400),
        ("0.5h", 1800),
        ("500ms", 0.5),
    ],
)
def test_duration_is_read_as_fd_reads_it(text: str, seconds: float) -> None:
    """Number and unit, and sums of them."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", " ", "5", "h", "5 parsecs", "1h 3", "-1h", "1h,2m", "2020-01-01"]
)
def test_bad_duration_says_what_is_accepted(text: str) -> None:
    """A usage error shows the notation."""
    with pytest.raises(ValueError, match="10min"):
        parse_duration(text)


@given(st.text(max_size=12))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Neither parser fails in another way than ValueError."""
    for parse in (parse_size, parse_duration):
        with suppress(ValueError):
            parse(text)


@given(st.lists(st.tuples(st.integers(0, 999), st.sampled_from(["s", "min", "h", "d", "w"]))))
def test_parts_of_a_duration_add_up(parts: list[tuple[int, str]]) -> None:
    """A sum is worth what its parts are worth."""
    if parts:
        texts = [f"{number}{unit}" for number, unit in parts]
        assert parse_duration(" ".join(texts)) == sum(map(parse_duration, texts))


@pytest.mark.parametrize(
    "wrong",
    [
        {"sizes": ("big",)},
        {"globs": ("[",)},
        {"excludes": ("",)},
        {"max_depth": -1},
        {"changed_within_s": -1.0},
    ],
)
def test_bad_options_are_refused_at_once(wrong: dict[str, object]) -> None:
    """What could only fail once the scan is under way fails before."""
    with pytest.raises(ValueError, match=r"pattern|depth|age|size"):
        ScanOptions(**wrong)  # type: ignore[arg-type]


def test_one_string_is_one_pattern() -> None:
    """Not a pattern for each of its letters; any sequence of patterns is kept as a tuple."""
    options = ScanOptions(globs="*.md", excludes=["a", "b"])
    assert options == ScanOptions(globs=("*.md",), excludes=("a", "b"))
    with pytest.raises(ValueError, match="empty pattern"):
        ScanOptions(globs="")
    for name in ("extensions", "regexes", "ignore_files", "sizes"):
        assert getattr(ScanOptions(**{name: "7"}), name) == ("7",)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=f"{name} is .*; give a text, or several"):
            ScanOptions(**{name: 7})  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=f"{name} is .*; give a text, or several"):
            ScanOptions(**{name: [7]})  # type: ignore[arg-type]
    assert ScanOptions(ignore_files=Path("a")).ignore_files == ("a",)  # type: ignore[arg-type]
