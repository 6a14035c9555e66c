"""Tasks with a face: options, state of a worker, one result, from packages of others."""

from __future__ import annotations

import json
import os
import re
import sys
from contextlib import closing
from pathlib import Path
from sqlite3 import connect
from subprocess import run
from typing import TYPE_CHECKING, Any

import pytest

from fsworkers import Preparation, graceful, process_tree
from fsworkers.errors import BadOption, FsworkersError, TaskNotFound
from fsworkers.tasks import registry
from fsworkers.tasks.registry import all_tasks, make_task
from fsworkers.tasks.task import columns_of

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).parents[3] / "docs" / "tasks.md"

ODD = """
from dataclasses import field

class Later:
    def __init__(self, folder: "Path | None" = None) -> None:
        pass
    def __call__(self, path):
        pass

@dataclass
class Listed:
    words: list[str] = field(default_factory=lambda: ["a", "b"])
    columns: ClassVar = (Column("first"),)
    def prepare(self, preparation):
        return first
    def __call__(self, path):
        pass

def first(path):
    return {"first": "a"}
"""


@pytest.fixture
def offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The example of the docs, installed beside the package, and one that is broken."""
    text = DOCS.read_text()
    site = tmp_path / "site"
    about = site / "longest-1.0.dist-info"
    about.mkdir(parents=True)
    code = re.search(r"```python\n# longest.py\n(.*?)```", text, re.DOTALL)
    entry = re.search(r"```toml\n\[project.entry-points.\"(.*?)\"\]\n(.*?)```", text, re.DOTALL)
    assert code is not None
    assert entry is not None
    (site / "longest.py").write_text(f"{code[1]}{ODD}")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: longest\nVersion: 1.0\n")
    odd = "broken = longest:NotThere\nlater = longest:Later\nlisted = longest:Listed\n"
    odd += "count = longest:Listed\n"
    entries = f"[{entry[1]}]\n{entry[2].replace(chr(34), '')}{odd}"
    (about / "entry_points.txt").write_text(entries)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", f"{site}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    yield site
    sys.modules.pop("longest", None)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Texts whose longest lines are known."""
    folder = tmp_path / "tree"
    folder.mkdir()
    for length in range(1, 40):
        (folder / f"{length}.txt").write_text(f"a\n{'x' * length}\n\tb")
    return folder


def cli(*arguments: str, cwd: Path) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the command."""
    ended = run(
        [sys.executable, "-m", "fsworkers", *arguments],
        cwd=cwd, capture_output=True, check=False, text=True, timeout=60,
    )  # fmt: skip
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.usefixtures("offered")
def test_a_package_offers_a_task(tree: Path, tmp_path: Path) -> None:
    """It is listed, described, run with its options, and its result is told; a broken one is so."""
    code, listed, _ = cli("tasks", cwd=tmp_path)
    assert code == 0
    assert "longest-line: How long the longest line of each file is." in listed
    assert "--option tab=INTEGER (default 8)" in listed
    assert "task 'broken': it can't be loaded (of longest): AttributeError" in listed
    assert "task 'later': its options can't be told (of longest): NameError" in listed
    assert "'count': the one of longest is never run: a built-in task has that name" in listed
    assert "--option words=TEXT,… (default a,b)" in cli("tasks", "listed", cwd=tmp_path)[1]
    assert cli("process", str(tree), "-t", "listed", "-o", "a.db", cwd=tmp_path)[0] == 0
    with closing(connect(tmp_path / "a.db")) as database:
        assert '"first"' in str(database.execute("SELECT sql FROM sqlite_master").fetchall())
    assert "columns that a tab takes" in cli("tasks", "longest-line", cwd=tmp_path)[1]
    code, lines, told = cli(
        "process", str(tree), "-t", "longest-line", "--option", "tab=50", "-o", "-",
        "--summary", "totals.json", cwd=tmp_path,
    )  # fmt: skip
    assert code == 0, told
    assert {json.loads(line)["value"] for line in lines.splitlines()} == {51}
    assert json.loads((tmp_path / "totals.json").read_text())["reduced"]["length"] == 51
    assert "51 length" in told


@pytest.mark.usefixtures("offered")
def test_a_resumed_run_is_reduced_as_a_whole(tree: Path, tmp_path: Path) -> None:
    """What was done before counts, and what is unchanged since an earlier run too."""
    (tree / "39.txt").write_text("y" * 200)
    journal = ["--journal", "runs.db"]
    base = ["process", str(tree), "-t", "longest-line", *journal, "-q", "--summary", "totals.json"]
    assert cli(*base, "-o", "lines.jsonl", cwd=tmp_path)[0] == 0
    (tmp_path / "totals.json").unlink()
    assert cli(*base, "-o", "lines.jsonl", "--changed", cwd=tmp_path)[0] == 0
    assert json.loads((tmp_path / "totals.json").read_text())["reduced"]["length"] == 200
    (tree / "new.txt").write_text("z" * 100)
    assert cli("resume", *journal, "-q", cwd=tmp_path)[0] == 0
    totals = json.loads((tmp_path / "totals.json").read_text())
    assert totals["reduced"] == {"length": 200, "path": str(tree / "39.txt")}


class Bare:
    """Has an option of which it says nothing."""

    def __init__(self, a: str) -> None:
        self.a = a


def test_an_option_without_a_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked for by what it takes alone."""
    monkeypatch.setitem(registry.BUILT_IN, "bare", f"{__name__}:Bare")
    with pytest.raises(BadOption, match=r"needs --option a=TEXT$"):
        make_task("bare", {})


@pytest.mark.usefixtures("offered")
@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("longest-lime", {}, "did you mean longest-line"),
        ("broken", {}, "can't be loaded"),
        ("longest-line", {"tabs": "4"}, r"no option 'tabs'; it has tab=INTEGER \(default 8\)"),
        ("longest-line", {"tab": "four"}, "declares tab as INTEGER"),
    ],
)
def test_what_is_wrong_names_what_is_right(name: str, options: dict[str, str], words: str) -> None:
    """Before anything is run."""
    with pytest.raises((TaskNotFound, BadOption), match=words):
        make_task(name, options)


def test_ours_are_all_well() -> None:
    """Every built-in task loads, says what it does, and has columns."""
    for _, kind in all_tasks():
        assert isinstance(kind, type), kind
        assert kind.__doc__
        assert columns_of(kind)


class Counting:
    """Gives how many descriptors it has reserved, from a state of the worker; counts files."""

    columns = ()
    descriptors = 3

    def __init__(self) -> None:
        self.found = 0

    def prepare(self, preparation: Preparation) -> Counting:
        """Look at what there is before the run."""
        self.found = sum(len(one) for one in preparation.scan() if isinstance(one, list))
        return self

    def open_worker(self) -> Any:
        """What is called."""
        found = self.found

        def look(_path: str) -> tuple[int, int]:
            return found, graceful.statistics().lent

        return look

    def __call__(self, path: str) -> Any:
        """Not called: the worker has what it opened."""
        raise NotImplementedError(path)


class CountingLater(Counting):
    """Likewise, in a coroutine."""

    def open_worker(self) -> Any:
        """What is called."""
        return self

    async def __call__(self, path: str) -> Any:
        """Look."""
        return self.found, graceful.statistics().lent


@pytest.mark.parametrize("engine", ["local", "inline"])
@pytest.mark.parametrize("kind", [Counting, CountingLater])
def test_a_worker_opens_a_task_once_and_reserves(tree: Path, engine: Any, kind: Any) -> None:
    """What the master has prepared arrives; the descriptors are there during the call."""
    values: list[Any] = []
    process_tree(
        tree, kind(), on_outcome=lambda one: values.append(one.value), engine=engine, slots=1
    )
    assert len(values) == 39
    assert {found for found, _ in values} == {39}
    assert all(lent >= 3 for _, lent in values)


class Together:
    """Goes through files by itself, and fails on one in five."""

    columns = ()

    def __call__(self, path: str) -> Any:
        """Not called."""
        raise NotImplementedError(path)

    def each_of(self, paths: list[str]) -> Any:
        """The first number in each name."""
        for path in paths:
            number = int(Path(path).stem)
            if number % 5 == 0:
                raise ValueError(path)
            yield {"number": number}

    def reducer(self) -> Sum:
        """Without ``merge``: fed in the master."""
        return Sum()


class Sum:
    """Adds up numbers."""

    def __init__(self) -> None:
        self.sum = 0

    def add(self, _path: str, value: Any) -> None:
        """One more."""
        self.sum += value["number"]

    def result(self) -> dict[str, int]:
        """The sum."""
        return {"sum": self.sum}


@pytest.mark.parametrize("engine", ["local", "inline"])
def test_a_task_goes_through_many_files_by_itself(tree: Path, engine: Any) -> None:
    """Each has its own value, size and failure."""
    outcomes: list[Any] = []
    summary = process_tree(tree, Together(), on_outcome=outcomes.append, engine=engine)
    assert (summary.done, summary.failed) == (32, 7)
    for one in outcomes:
        number = int(Path(one.path).stem)
        assert one.size == os.path.getsize(one.path)
        assert one.mtime_ns == os.stat(one.path).st_mtime_ns
        if number % 5 == 0:
            assert one.error == f"ValueError: {one.path}"
        else:
            assert one.value == {"number": number}
    assert summary.reduced == {"sum": sum(n for n in range(1, 40) if n % 5)}


@pytest.mark.parametrize("engine", ["local", "inline"])
def test_reducers_that_cannot_be_imported_travel_and_failing_ones_end_the_run(
    tree: Path, engine: Any
) -> None:
    """As of a script, whose classes are those of ``__main__``; no worker dies of them."""

    class Most(Sum):
        def merge(self, other: Sum) -> None:
            self.sum += other.sum

    class Wrong(Most):
        def add(self, path: str, value: Any) -> None:
            raise ValueError(path)

    class Lengths:
        def __init__(self, reducer: Any) -> None:
            self.reducer = reducer

        def __call__(self, path: str) -> dict[str, int]:
            return {"number": len(Path(path).stem)}

    summary = process_tree(tree, Lengths(Most), engine=engine)
    assert summary.reduced == {"sum": sum(len(str(n)) for n in range(1, 40))}
    with pytest.raises(
        FsworkersError, match=r"reducer of task .*Lengths failed: ValueError: .*\.txt"
    ):
        process_tree(tree, Lengths(Wrong), engine=engine)
