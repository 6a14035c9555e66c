"""Blocks in a real journal: recorded, looked up, listed, and what a further run makes of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsworkers.journal import blocks as blocks_module
from fsworkers.journal import outcomes as outcomes_module
from fsworkers.journal.blocks import RunBlocks
from fsworkers.journal.earlier import Earlier
from fsworkers.journal.errors import JournalFailed
from fsworkers.journal.known import is_settled
from fsworkers.journal.outcomes import count_outcomes, read_outcomes
from fsworkers.journal.places import find_runs
from fsworkers.journal.recorder import Recorder
from fsworkers.journal.rows import by_directory, outcomes_of, pack_done, pack_outcomes, pack_untried
from fsworkers.journal.schema import connect
from fsworkers.journal.selection import Unchanged, left_to_do, new_or_changed
from fsworkers.model import FAILURES, STATUSES, Entry, Outcome
from fsworkers.sinks.plain import encode
from tests.unit.journal.samples import OUTCOMES, a_run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fsworkers.journal.record import State
    from fsworkers.model import Status


def record(recorder: Recorder, outcomes: Sequence[Outcome], **counts: int) -> None:
    """Record a list of outcomes; the figures only matter where some are given."""
    figures: dict[Status, int] = counts or {"done": len(outcomes)}  # type: ignore[assignment]
    recorder.record(list(pack_outcomes(outcomes, encode)), figures, 0, 1.0)


def all_of(recorder: Recorder, statuses: Sequence[Status] | None = None) -> list[Outcome]:
    """What is recorded."""
    return [one for some in recorder.outcomes(statuses) for one in some]


def in_order(outcomes: Mapping[str, Outcome]) -> list[Outcome]:
    """By directory and then by name, byte by byte."""
    return [outcomes[path] for path in sorted(outcomes, key=_order)]


def _order(path: str) -> tuple[bytes, bytes]:
    head, slash, name = os.fsencode(path).rpartition(b"/")
    return head + slash, name


def lower_limits(patch: pytest.MonkeyPatch) -> None:
    """So low that any directory is in too many blocks, and any list takes several ranges."""
    patch.setattr(blocks_module, "_MOST_BLOCKS", 1)
    patch.setattr(blocks_module, "_BLOCKS_KEPT", 1)
    patch.setattr(outcomes_module, "_RANGE_FILES", 2)
    patch.setattr(outcomes_module, "_AT_ONCE", 1)


@given(
    recorded=st.lists(st.lists(OUTCOMES, max_size=4), max_size=5),
    status=st.sampled_from(STATUSES),
    limits_are_low=st.booleans(),
)
def test_later_block_stands(
    tmp_path_factory: pytest.TempPathFactory,
    recorded: list[list[Outcome]],
    status: Status,
    limits_are_low: bool,
) -> None:
    """Each path is listed once and looked up as its last outcome is, in the order of bytes."""
    path = tmp_path_factory.mktemp("journal") / "j.db"
    with pytest.MonkeyPatch.context() as patch, Recorder.begin(path, a_run()) as recorder:
        if limits_are_low:
            lower_limits(patch)
        for outcomes in recorded:
            record(recorder, outcomes)
        latest = {outcome.path: outcome for outcomes in recorded for outcome in outcomes}
        assert all_of(recorder) == in_order(latest)
        assert all_of(recorder, [status]) == [
            one for one in in_order(latest) if one.status == status
        ]
        groups = [*by_directory(list(latest)), ("no such/", ["name"])]
        known = recorder.blocks()
        for found in known.known(groups), [known.known([group])[0] for group in groups]:
            for (directory, names), there in zip(groups, found, strict=True):
                for one in map(latest.get, map(directory.__add__, names)):
                    name = names[0] if one is None else one.path.rpartition("/")[2]
                    was = there.get(name)
                    assert (was and was[1:4]) == (one and (one.status, one.size, one.error))
                    settled = one and is_settled(one.status, one.attempts, one.mtime_ns)
                    stamp = (one.size, one.mtime_ns) if one and settled else None
                    assert was is None or was[0] == stamp


def test_crowded_directory_is_looked_up_and_listed(tmp_path: Path) -> None:
    """One directory in more blocks than are expanded at once; names in no order."""
    names = [f"{n * 7919 % 10_000:05}" for n in range(10_000)]
    with Recorder.begin(tmp_path / "j.db", a_run()) as recorder:
        for start in range(0, 10_000, 100):
            paths = [f"d/{name}" for name in names[start : start + 100]]
            values = msgspec.json.encode(paths)
            columns = [1] * 100, [5] * 100, [0.5] * 100
            recorder.record([pack_done(paths, values, *columns, 0)], {"done": start + 100}, 0, 1.0)
        known = recorder.blocks()
        (there,) = known.known([("d/", ["00003", "00004", "other"])])
        assert {"00003", "00004"} <= there.keys()
        assert len(there) <= 200
        outcomes = all_of(recorder)
    assert [one.path for one in outcomes] == [f"d/{n:05}" for n in range(10_000)]
    assert all(one.value == one.path for one in outcomes)


def test_list_in_another_order_is_looked_up(tmp_path: Path) -> None:
    """Files of many directories mixed: each is found, whatever blocks they are in."""
    paths = [f"{n * 7 % 50}/{n}" for n in range(2000)]
    with Recorder.begin(tmp_path / "j.db", a_run()) as recorder:
        for start in range(0, 2000, 20):
            record(
                recorder,
                [Outcome(one, "done", mtime_ns=5, size=1) for one in paths[start : start + 20]],
            )
        known = recorder.blocks()
        groups = by_directory(paths[::-3])
        for (_, names), there in zip(groups, known.known(groups), strict=True):
            assert {there[name][0] for name in names} == {(1, 5)}


def test_large_run_is_listed_in_ranges(tmp_path: Path) -> None:
    """More outcomes than are expanded at once come once each and in order."""
    with Recorder.begin(tmp_path / "j.db", a_run()) as recorder:
        for directory in range(39, -1, -1):
            paths = [f"{directory:02}/{n:04}" for n in range(2999, -1, -1)]
            recorder.record([pack_untried(paths, "cancelled", None)], {}, 0, 1.0)
        lists = list(recorder.outcomes())
    assert [one.path for some in lists for one in some] == [
        f"{directory:02}/{n:04}" for directory in range(40) for n in range(3000)
    ]
    assert max(map(len, lists)) == 1000


def test_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Names that are no UTF-8 survive; one left without an end is interrupted."""
    path = tmp_path / "j.db"
    with Recorder.begin(path, a_run()) as recorder:
        record(recorder, [Outcome("a", "done", size=3), Outcome("b", "failed")], done=1, failed=1)
    assert [name.name for name in tmp_path.iterdir()] == ["j.db"]
    assert path.stat().st_mode & 0o777 == 0o600
    with Recorder.go_on(path, a_run().id) as recorder:
        run = recorder.run
        assert (run.cwd, run.argv, run.roots) == (a_run().cwd, a_run().argv, a_run().roots)
        assert run.state == "interrupted"
        assert run.command == "fsworkers process '\\xfe'"
        assert recorder.counts == {"done": 1, "failed": 1}
        recorder.end("finished")


def test_failure_of_a_call_leaves_the_blocks_before(tmp_path: Path) -> None:
    """What can't be written is not there at all, and neither are its figures."""
    path = tmp_path / "j.db"
    with Recorder.begin(path, a_run()) as recorder:
        record(recorder, [Outcome("a", "done")], done=1)
        good = pack_untried(["b"], "cancelled", None)
        with pytest.raises(JournalFailed, match="'object' is not supported"):
            recorder.record([good, (good[0], object())], {"done": 2}, 0, 1.0)  # type: ignore[list-item]
        assert [one.path for one in all_of(recorder)] == ["a"]
        with closing(RunBlocks(path, recorder.run.number)) as blocks:
            assert count_outcomes(blocks) == (Counter({"done": 1}), 0)


def test_reader_sees_a_run_that_goes_on(tmp_path: Path) -> None:
    """As of when it looked; runs in one journal do not mix."""
    path = tmp_path / "j.db"
    with Recorder.begin(path, a_run("one")) as recorder:
        record(recorder, [Outcome("a", "done")])
    with Recorder.begin(path, a_run("two")) as recorder:
        record(recorder, [Outcome("b", "failed")])
        with closing(RunBlocks(path, recorder.run.number)) as blocks:
            record(recorder, [Outcome("c", "done")])
            assert [one.path for some in read_outcomes(blocks, FAILURES) for one in some] == ["b"]
            assert [one.path for some in read_outcomes(blocks) for one in some] == ["b"]
        assert [one.path for one in all_of(recorder)] == ["b", "c"]


def test_list_that_is_not_read_to_its_end(tmp_path: Path) -> None:
    """It may be left, or outlive its connection; another list is whole."""
    with Recorder.begin(tmp_path / "j.db", a_run()) as recorder:
        record(recorder, [Outcome(f"{n}/a", "done") for n in range(3000)])
        blocks = recorder.blocks()
        first, second = read_outcomes(blocks), read_outcomes(blocks)
        next(first)
        next(second)
        del first
        assert sum(map(len, second)) == 2000
        left = read_outcomes(blocks)
        next(left)
    del left


def test_counts_of_a_run_that_was_cut_off_in_a_resume(tmp_path: Path) -> None:
    """Its figures lack what was to be done again; they are made up from what is recorded."""
    path = tmp_path / "j.db"
    with Recorder.begin(path, a_run()) as recorder:
        record(recorder, [Outcome("a", "done", size=3), Outcome("b", "failed")], done=1, failed=1)
    with Recorder.go_on(path, a_run().id) as recorder:
        record(recorder, [], done=1)  # as b has been taken up again
    state: State
    for state in ("interrupted", "finished"):
        with Recorder.go_on(path, a_run().id) as recorder:
            assert recorder.counts == {"done": 1, "failed": 1}
            assert recorder.size_bytes == 3
            recorder.record([], recorder.counts, recorder.size_bytes, 1.0)
            recorder.end(state)
    with closing(connect(path)) as connection:
        assert connection.execute("SELECT is_counted, failed FROM run").fetchone() == (1, 1)


def test_scan_failures_are_forgotten(tmp_path: Path) -> None:
    """They are not in the way of what the next scan finds there; others stay."""
    path = tmp_path / "j.db"
    outcomes = [
        Outcome("a", "done", size=3, attempts=1),
        Outcome("b", "failed", attempts=0),
        Outcome("c", "failed", attempts=1),
    ]
    with Recorder.begin(path, a_run()) as recorder:
        record(recorder, outcomes, done=1, failed=2)
    with Recorder.go_on(path, a_run().id) as recorder:
        recorder.forget_scan_failures()
        assert (recorder.counts, recorder.size_bytes) == ({"done": 1, "failed": 1}, 3)
        assert [one.path for one in all_of(recorder)] == ["a", "c"]


class Tree:
    """A directory with files, recorded as done."""

    def __init__(self, root: Path, count: int) -> None:
        self.root = root
        self.paths = [f"tree/{n % 3}/{n}" for n in range(count)]
        for path in self.paths:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(path)

    def lists(self) -> Iterator[list[str]]:
        """The files, a directory at a time, and in the end all in one list."""
        for n in range(3):
            yield self.paths[n::3]
        yield self.paths

    def done(self, paths: Sequence[str]) -> list[Outcome]:
        """Outcomes with what the files are like."""
        status = {path: os.stat(self.root / path) for path in paths}
        return [
            Outcome(path, "done", size=now.st_size, mtime_ns=now.st_mtime_ns, attempts=1)
            for path, now in status.items()
        ]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """A tree of nine files in the current directory."""
    monkeypatch.chdir(tmp_path)
    return Tree(tmp_path, 9)


def test_only_what_is_left_is_done_again(tree: Tree) -> None:
    """Not what is done and unchanged; what is displaced is told of before it comes."""
    told: list[tuple[Counter[Status], int]] = []
    with Recorder.begin(tree.root / "j.db", a_run()) as recorder:
        record(recorder, tree.done(tree.paths[:7]))
        record(
            recorder, [Outcome("tree/0/3", "failed", attempts=1), Outcome("tree/2/8", "cancelled")]
        )
        (tree.root / "tree/1/1").write_text("altered")
        (tree.root / "tree/2/2").unlink()
        found = left_to_do(
            tree.lists(),
            recorder.blocks(),
            lambda *one: told.append((Counter(one[0]), one[1])),
        )
        assert next(found) == ["tree/0/3"]
        assert told == [({"failed": 1}, 0)]
        assert next(found) == ["tree/1/1", "tree/1/7"]
        assert told[1:] == [({"done": 1}, len("tree/1/1"))]
        assert next(found) == ["tree/2/2", "tree/2/8"]
        assert next(found) == ["tree/1/1", "tree/2/2", "tree/0/3", "tree/1/7", "tree/2/8"]
        assert told[3] == ({"done": 2, "failed": 1, "cancelled": 1}, 16)
        with pytest.raises(StopIteration):
            next(found)


def test_entries_come_through_and_displace(tree: Tree) -> None:
    """What is no file any more replaces the outcome that it had; what is new replaces none."""
    told: list[tuple[Mapping[Status, int], int]] = []
    entries = [Entry(path, "skipped", "FIFO") for path in ("tree/0/0", "tree/fifo")]
    with Recorder.begin(tree.root / "j.db", a_run()) as recorder:
        record(recorder, tree.done(tree.paths))
        found = left_to_do(entries, recorder.blocks(), lambda *one: told.append(one))
        assert list(found) == entries
    assert told == [({"done": 1}, len("tree/0/0"))]


def earlier_run(
    tree: Tree, name: str, outcomes: Sequence[Outcome], cwd: str, *roots: str
) -> Earlier:
    """A run that has ended."""
    path = tree.root / f"{name}.db"
    run = a_run(name, cwd=cwd, roots=roots)
    with Recorder.begin(path, run) as recorder:
        record(recorder, outcomes)
        recorder.end("finished")
        return Earlier(recorder.run, RunBlocks(path, recorder.run.number))


@pytest.mark.parametrize("in_order", [False, True])
def test_unchanged_files_are_skipped(tree: Tree, in_order: bool) -> None:
    """With the run that did them, and known to the next run by what is recorded of them."""
    (tree.root / "tree/0/3").write_text("altered")
    done = tree.done(tree.paths[:6])
    (tree.root / "tree/0/3").write_text("altered again")
    first = earlier_run(tree, "first", done, str(tree.root), "tree")
    fifo = Entry("tree/fifo", "skipped", "FIFO")
    found = list(new_or_changed([tree.paths, fifo], [first], str(tree.root), in_order=in_order))
    first.blocks.close()
    assert found[-1] == fifo
    order = [each for one in found[:-1] for each in (one if isinstance(one, list) else one.paths)]  # type: ignore[union-attr]
    assert sorted(order) == sorted(tree.paths)
    assert not in_order or order == tree.paths
    unchanged = [one for one in found if isinstance(one, Unchanged)]
    skipped = [each for one in unchanged for _, some in outcomes_of(one.pack()) for each in some]
    reason = "unchanged since run first"
    assert {(one.path, one.size, one.mtime_ns) for one in skipped} == {
        (one.path, one.size, one.mtime_ns) for one in done if one.path != "tree/0/3"
    }
    assert {(one.status, one.error, one.attempts) for one in skipped} == {("skipped", reason, 0)}
    path = tree.root / "second.db"
    with Recorder.begin(path, a_run("second", cwd=str(tree.root), roots=("tree",))) as recorder:
        recorder.record([one.pack() for one in unchanged], {"skipped": 5}, 0, 1.0)
        assert sorted(all_of(recorder), key=str) == sorted(skipped, key=str)
        second = Earlier(recorder.run, recorder.blocks())
        again = list(new_or_changed([tree.paths], [second], str(tree.root)))
    assert {one.reason for one in again if isinstance(one, Unchanged)} == {reason}
    (left,) = [one for one in again if isinstance(one, list)]
    assert left == ["tree/0/3", "tree/0/6", "tree/1/7", "tree/2/8"]


def test_latest_run_that_tells_of_a_file_decides(tree: Tree) -> None:
    """What failed there is done again; what was cancelled there was not looked at."""
    absolute = [f"{tree.root}/{path}" for path in tree.paths]
    old = earlier_run(tree, "old", tree.done(absolute), "/", f"{tree.root}/tree")
    told = [Outcome("0/0", "failed", attempts=1), Outcome("0/3", "cancelled")]
    new = earlier_run(tree, "new", told, f"{tree.root}/tree", ".")
    none = earlier_run(tree, "none", [], "/", "/nowhere")
    found = list(new_or_changed(tree.lists(), [new, none, old], str(tree.root)))
    for one in (new, none, old):
        one.blocks.close()
    assert [one for one in found if isinstance(one, list)] == [["tree/0/0"]] * 2
    paths = [path for one in found if isinstance(one, Unchanged) for path in one.paths]
    assert sorted(set(paths)) == sorted(set(tree.paths) - {"tree/0/0"})


RECORDS_FOR_EVER = """
import itertools, sys
from pathlib import Path
from fsworkers.journal.recorder import Recorder
from fsworkers.journal.rows import pack_untried
from tests.unit.journal.samples import a_run
with Recorder.begin(Path(sys.argv[1]), a_run()) as recorder:
    for n in itertools.count():
        block = pack_untried([f"{n}/{name}" for name in range(100)], "cancelled", None)
        recorder.record([block], {"cancelled": 100 * (n + 1)}, 0, 1.0)
        print(flush=True)
"""


def test_killed_run_holds_whole_blocks(tmp_path: Path) -> None:
    """What it had been told of at least, and the counts that go with it."""
    path = tmp_path / "j.db"
    argv = [sys.executable, "-c", RECORDS_FOR_EVER, str(path)]
    root = Path(__file__).parents[3]
    with subprocess.Popen(argv, cwd=root, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(20):
            process.stdout.readline()
        process.kill()
        told = 20 + len(process.stdout.read())
    assert [one.run.state for one in find_runs(path)] == ["killed"]
    with Recorder.go_on(path, a_run().id) as recorder:
        count = len(all_of(recorder))
        assert recorder.counts == {"cancelled": count}
        assert told * 100 <= count <= (told + 1) * 100
        assert count % 100 == 0
