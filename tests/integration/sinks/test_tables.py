"""Tables as those who read them see them: sqlite3, pandas, DuckDB."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fsworkers import Column, process_tree
from fsworkers.model import Outcome
from fsworkers.sinks.errors import OutputFailed, OutputUnwritable
from fsworkers.sinks.open import Wanted, check_sink, open_sink
from tests.integration.sinks.test_open import ODD_NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence


class Look:
    """Gives something of each type, something undeclared, and fails on empty files."""

    columns: Sequence[Column] = (
        Column("size", "integer", "bytes"),
        Column("share", "number"),
        Column("is_odd", "boolean"),
        Column("parts", "json"),
        Column("first", "text"),
    )

    def __call__(self, path: str) -> dict[str, Any]:
        data = Path(path).read_bytes()
        if not data:
            raise ValueError("empty")
        return {
            "size": len(data), "share": len(data) / 4, "is_odd": len(data) % 2 == 1,
            "parts": [*data], "first": data[:1].decode(), "more": data,
        }  # fmt: skip


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder of odd names; each file holds its number, the first one nothing."""
    folder = tmp_path / "tree"
    folder.mkdir()
    for number, name in enumerate(ODD_NAMES):
        (folder / os.fsdecode(name)).write_bytes(b"%d" % number if number else b"")
    return folder


def exact(path: Any, path_bytes: Any) -> bytes:
    """The bytes of a path, from the two columns that tell it."""
    return bytes(path_bytes) if isinstance(path_bytes, bytes) else str(path).encode()


def names_in(rows: list[tuple[Any, Any]]) -> list[bytes]:
    """The names of files, byte for byte."""
    return sorted(os.path.basename(exact(*row)) for row in rows)


def test_a_database_holds_typed_rows(tree: Path, tmp_path: Path) -> None:
    """Of odd names and failures too; one file, with an index, and no other beside it."""
    target = tmp_path / "o.db"
    process_tree(tree, Look(), output=target, engine="inline")
    assert {path.name for path in tmp_path.iterdir()} == {"tree", "o.db"}
    with closing(sqlite3.connect(target)) as connection:
        rows = connection.execute("SELECT path, path_bytes FROM files").fetchall()
        assert names_in(rows) == sorted(ODD_NAMES)
        types = dict(connection.execute("SELECT name, type FROM pragma_table_info('files')"))
        assert types["value_size"] == "INTEGER"
        assert types["is_odd"] == "BOOLEAN"
        (row,) = connection.execute(
            "SELECT status, attempts, size, value_size, share, is_odd, parts, first, value"
            " FROM files WHERE path = ?", [f"{tree}/ lead"],
        )  # fmt: skip
        assert row == ("done", 1, 1, 1, 0.25, 1, "[55]", "7", '{"more":{"base64":"Nw=="}}')
        (row,) = connection.execute(
            "SELECT error, traceback LIKE '%raise ValueError%', value_size, value FROM files"
            " WHERE status = 'failed'"
        )
        assert row == ("ValueError: empty", 1, None, None)
        times = "SELECT max(abs(strftime('%s', mtime) - ?)) FROM files"
        assert connection.execute(times, [tree.stat().st_mtime]).fetchone()[0] < 5
        plan = "EXPLAIN QUERY PLAN SELECT * FROM files WHERE path = 'a'"
        assert "files_path" in str(connection.execute(plan).fetchall())


def test_pandas_reads_the_database(tree: Path, tmp_path: Path) -> None:
    """Numbers as numbers."""
    pandas = pytest.importorskip("pandas")
    process_tree(tree, len, output=tmp_path / "o.sqlite", engine="inline")
    with closing(sqlite3.connect(tmp_path / "o.sqlite")) as connection:
        frame = pandas.read_sql("SELECT path, path_bytes, size, value FROM files", connection)
    assert names_in([*zip(frame.path, frame.path_bytes, strict=True)]) == sorted(ODD_NAMES)
    assert frame["size"].sum() == sum(path.stat().st_size for path in tree.iterdir())
    assert frame["value"].dtype.kind == "i"


@pytest.mark.parametrize("name", ["o.db"])
def test_a_table_without_rows_has_its_columns(tmp_path: Path, name: str) -> None:
    """Not stale, and not nothing."""
    (tmp_path / name).write_bytes(b"stale")
    open_sink(tmp_path / name, wanted=Wanted(columns=Look.columns)).finish()
    with closing(sqlite3.connect(tmp_path / name)) as connection:
        assert connection.execute("SELECT first FROM files").fetchall() == []


def test_what_a_killed_run_left_is_thrown_away(tmp_path: Path) -> None:
    """Whatever it is; and an interrupted one can be looked at."""
    (tmp_path / "o.db.partial").write_bytes(b"SQLite format 3\0" + b"\1" * 5000)
    sink = open_sink(tmp_path / "o.db")
    sink.write([Outcome("a", "done", 1)])
    sink.finish(is_whole=False)
    with closing(sqlite3.connect(tmp_path / "o.db.partial")) as connection:
        assert connection.execute("SELECT path, value FROM files").fetchall() == [("a", 1)]
    assert [path.name for path in tmp_path.iterdir()] == ["o.db.partial"]


def test_a_database_is_refused_where_it_cannot_be(tmp_path: Path) -> None:
    """In a pipe, before the run; on a full disk, when that is found out."""
    os.mkfifo(tmp_path / "o.db")
    with pytest.raises(OutputUnwritable, match="it is no file, which sqlite needs"):
        check_sink(tmp_path / "o.db")
    sink = open_sink(tmp_path / "p.db")
    sink.write([Outcome("a", "done")])
    sink._connection.execute("PRAGMA max_page_count = 3")  # type: ignore[attr-defined]
    with pytest.raises(OutputFailed, match=r"p\.db\.partial' failed: .*full"):
        sink.write([Outcome("a", "done", "x" * 100_000)])
    sink.close()
    assert (tmp_path / "p.db.partial").exists()
