"""A run that is resumed takes the files that it would have taken."""

from __future__ import annotations

import signal
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.integration.journal.conftest import Workplace


def test_filters_are_those_of_the_run_s_beginning(place: Workplace) -> None:
    """Ages count from there, a sample is the same, and what git ignores stays left out."""
    place.make_files(1000)
    (place.root / "tree/.gitignore").write_text("*7\n.*\n")
    filters = ("--gitignore", "--changed-before", "0s", "--sample", "300", "--seed", "3")
    wanted = place.run("process", "tree", *filters, "-n").stdout.decode().splitlines()
    assert len(wanted) == 300
    assert not [path for path in wanted if path.endswith("7")]
    master = place.start("process", "tree", *filters, "--call", "mine:slow", "-j1")
    place.wait_for_executed(20)
    master.send_signal(signal.SIGINT)
    _, stderr = master.communicate(timeout=20)
    assert (master.returncode, b"resume with" in stderr) == (130, True)
    assert len(place.executed()) < 300
    for name in "abc":
        (place.root / "tree" / name).write_text("new")
    assert place.run("resume", "-q").returncode == 0
    assert Counter(place.executed()) == Counter(wanted)


def test_changed_files_are_sought_within_the_filter(place: Workplace) -> None:
    """``--changed`` settles what an earlier run did, of the same sample."""
    place.make_files(200)
    process = ("process", "tree", "--call", "mine:logged", "--sample", "20%", "-q")
    assert place.run(*process).returncode == 0
    done = place.executed()
    assert 10 < len(done) < 90
    (place.root / done[0]).write_text("changed")
    assert place.run(*process, "--changed").returncode == 0
    assert place.executed() == [*done, done[0]]
