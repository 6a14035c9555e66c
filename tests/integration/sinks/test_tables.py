"""Tables as those who read them see them: sqlite3, pandas, DuckDB."""

from __future__ import annotations

import base64
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fsworkers import Column, process_tree
from fsworkers.errors import MissingExtra
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


@pytest.mark.parametrize(
    ("statement", "held"),
    [
        ("CREATE TABLE customers (name)", "customers"),
        ("CREATE VIEW mine AS SELECT * FROM files", "mine"),
        ("DROP TABLE files; CREATE TABLE files (path, content)", "files"),
    ],
)
def test_a_database_of_somebody_else_is_not_replaced(
    tree: Path, tmp_path: Path, statement: str, held: str
) -> None:
    """Its data would be lost; an earlier output of ours is, and so is what is no database."""
    target = tmp_path / "a?b %.db"
    target.write_bytes(b"no database" * 100)
    for _ in range(2):
        process_tree(tree, len, output=target, engine="inline")
    refused = pytest.raises(OutputUnwritable, match=rf"a\?b %\.db'.* holds {held}, and would be")
    with closing(sqlite3.connect(target)) as connection:
        connection.executescript(f"PRAGMA journal_mode = WAL; {statement}")
        with refused:
            process_tree(tree, len, output=target, engine="inline")
    with refused:
        process_tree(tree, len, output=target, engine="inline")
    assert {path.name for path in tmp_path.iterdir()} == {"tree", target.name}


def test_pandas_reads_the_database(tree: Path, tmp_path: Path) -> None:
    """Numbers as numbers."""
    pandas = pytest.importorskip("pandas")
    process_tree(tree, len, output=tmp_path / "o.sqlite", engine="inline")
    with closing(sqlite3.connect(tmp_path / "o.sqlite")) as connection:
        frame = pandas.read_sql("SELECT path, path_bytes, size, value FROM files", connection)
    assert names_in([*zip(frame.path, frame.path_bytes, strict=True)]) == sorted(ODD_NAMES)
    assert frame["size"].sum() == sum(path.stat().st_size for path in tree.iterdir())
    assert frame["value"].dtype.kind == "i"


def test_duckdb_and_pandas_read_parquet(tree: Path, tmp_path: Path) -> None:
    """Types are what the task declares, times are times, names are exact."""
    duckdb = pytest.importorskip("duckdb")
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    target = tmp_path / "o.parquet"
    process_tree(tree, Look(), output=target, engine="inline")
    frame = pandas.read_parquet(target)
    assert names_in([*zip(frame.path, frame.path_bytes, strict=True)]) == sorted(ODD_NAMES)
    assert str(frame["mtime"].dtype) == "datetime64[ns, UTC]"
    times = {str(path).encode(errors="surrogateescape"): path for path in tree.iterdir()}
    for path, path_bytes, mtime in zip(frame.path, frame.path_bytes, frame["mtime"], strict=True):
        assert mtime.value == times[exact(path, path_bytes)].stat().st_mtime_ns
    with duckdb.connect() as connection:
        told = connection.execute(
            "SELECT typeof(value_size), typeof(share), typeof(is_odd), value_size, share, is_odd,"
            f" parts->>'$[0]', value->>'$.more.base64' FROM '{target}' WHERE path LIKE '% lead'"
        ).fetchall()
        assert told == [("BIGINT", "DOUBLE", "BOOLEAN", 1, 0.25, True, "55", "Nw==")]
        query = f"SELECT count(*), count(value_size), count(error) FROM '{target}'"
        total = len(ODD_NAMES)
        assert connection.execute(query).fetchall() == [(total, total - 1, 1)]


def test_others_read_the_lines(tree: Path, tmp_path: Path) -> None:
    """JSON Lines and CSV, by DuckDB and pandas, with exact names."""
    duckdb = pytest.importorskip("duckdb")
    pandas = pytest.importorskip("pandas")
    for name in ("o.jsonl", "o.csv"):
        process_tree(tree, str.upper, output=tmp_path / name, engine="inline")
    frames = [
        pandas.read_json(tmp_path / "o.jsonl", lines=True),
        pandas.read_csv(tmp_path / "o.csv", engine="python"),
    ]
    with duckdb.connect() as connection:
        frames += [
            connection.execute(f"SELECT * FROM '{tmp_path / name}'").df()
            for name in ("o.jsonl", "o.csv")
        ]
    for frame in frames:
        rows = [
            (path, base64.b64decode(coded) if isinstance(coded, str) and coded else None)
            for path, coded in zip(frame.path, frame.path_b64, strict=True)
        ]
        assert names_in(rows) == sorted(ODD_NAMES)


def test_row_groups_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By rows, and by what they take; also what went through no file of its own is whole."""
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr("fsworkers.sinks.parquet.GROUP_ROWS", 100)
    monkeypatch.setattr("fsworkers.sinks.parquet.GROUP_BYTES", 100_000)
    sink = open_sink(tmp_path / "o.parquet")
    for number in range(10):
        sink.write([Outcome(str(number), "done", n) for n in range(40)])
    sink.write([Outcome("large", "done", "x" * 200_000)])
    sink.write([Outcome("last", "done", float("nan"))])
    sink.finish()
    file = parquet.ParquetFile(tmp_path / "o.parquet")
    groups = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
    assert groups == [120, 120, 120, 41, 1]
    values = file.read(["value"]).column(0).to_pylist()
    assert (values[:2], values[-1]) == (["0", "1"], "nan")


@pytest.mark.parametrize("name", ["o.db", "o.parquet"])
def test_a_table_without_rows_has_its_columns(tmp_path: Path, name: str) -> None:
    """Not stale, and not nothing."""
    duckdb = pytest.importorskip("duckdb")
    (tmp_path / name).write_bytes(b"stale")
    open_sink(tmp_path / name, wanted=Wanted(columns=Look.columns)).finish()
    if name == "o.parquet":
        assert duckdb.sql(f"SELECT first FROM '{tmp_path / name}'").fetchall() == []
        return
    with closing(sqlite3.connect(tmp_path / name)) as connection:
        assert connection.execute("SELECT first FROM files").fetchall() == []


def test_parquet_that_fails_says_so_and_lets_go(tmp_path: Path) -> None:
    """A full disk is our error, not the library's; nothing is written afterwards."""
    pytest.importorskip("pyarrow")
    sink = open_sink(Path("/dev/full"), format="parquet")
    sink.write([Outcome("a", "done", 1)])
    with pytest.raises(OutputFailed, match="'/dev/full' failed: No space left on device"):
        sink.finish()
    sink.close()
    sink = open_sink(tmp_path / "o.parquet")
    sink.write([Outcome("a", "done", 1)])
    sink.close()
    assert list(tmp_path.iterdir()) == []


def test_parquet_needs_an_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named before the run."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"pip install 'fsworkers\[parquet\]'"):
        check_sink(tmp_path / "o.parquet")


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
    with pytest.raises(
        OutputFailed, match=r"^writing to '\S*/p\.db\.partial' failed: [a-z ]*full\. Make room"
    ):
        sink.write([Outcome("a", "done", "x" * 100_000)])
    sink.close()
    assert (tmp_path / "p.db.partial").exists()
