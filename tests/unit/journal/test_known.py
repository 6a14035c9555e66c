"""Which files are left to do: decisions over plain data."""

from __future__ import annotations

import pytest

from fsworkers.journal.known import Known, absolute, spellings


@pytest.mark.parametrize(
    ("known", "settled"),
    [
        (Known("done", 1, 5, 1, None), True),
        (Known("done", 1, None, 1, None), False),
        (Known("skipped", 1, 5, 0, "unchanged since run x"), True),
        (Known("skipped", 1, 5, 1, "the task declined it"), False),
        (Known("skipped", None, None, 0, "FIFO"), False),
        (Known("failed", 1, 5, 1, "no"), False),
        (Known("cancelled", None, None, 0, None), False),
    ],
)
def test_what_is_settled(known: Known, settled: bool) -> None:
    """Done, or unchanged since it was: with the time that tells whether it still is."""
    assert known.is_settled is settled


def test_another_size_or_time_is_another_file() -> None:
    """Both must be as they were, to the nanosecond."""
    known = Known("done", 10, 1_000_000_001, 1, None)
    assert known.is_about(10, 1_000_000_001)
    assert not known.is_about(11, 1_000_000_001)
    assert not known.is_about(10, 1_000_000_000)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("a/b", "/home/me/a/b"),
        ("./a", "/home/me/a"),
        (".//a", "/home/me/a"),
        ("../you/a", "/home/you/a"),
        ("../../..", "/"),
        (".", "/home/me"),
        ("", "/home/me"),
        ("/x/../y", "/x/../y"),
        ("link/../a", "/home/me/link/../a"),
    ],
)
def test_where_a_path_leads(path: str, place: str) -> None:
    """Leading dots are resolved; what follows a name is not, for the name may be a link."""
    assert absolute(path, "/home/me") == place


@pytest.mark.parametrize(
    ("root", "cwd", "place", "name"),
    [
        ("tree", "/home", "/home/tree/a", "tree/a"),
        ("./tree/", "/home", "/home/tree/a", "./tree/a"),
        ("../tree", "/home", "/tree/a/b", "../tree/a/b"),
        (".", "/home", "/home/a", "./a"),
        ("/", "/home", "/etc/a", "/etc/a"),
        ("tree/a", "/home", "/home/tree/a", "tree/a"),
        ("/home/tree", "/elsewhere", "/home/tree/a", "/home/tree/a"),
    ],
)
def test_names_that_a_run_gave(root: str, cwd: str, place: str, name: str) -> None:
    """The name that a scan of that PATH gives comes first, and leads to the same place."""
    names = spellings(place, cwd, [root])
    assert names[0] == name
    assert all(absolute(each, cwd) == place for each in names)
