"""The task ``table``: what is in CSV, JSON and Parquet files."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from fsworkers import graceful
from fsworkers.errors import Skip
from fsworkers.tasks.extras import need
from fsworkers.tasks.task import Column

_READERS = {
    ".csv": "read_csv",
    ".tsv": "read_csv",
    ".json": "read_json",
    ".jsonl": "read_json",
    ".ndjson": "read_json",
    ".parquet": "read_parquet",
}
_PACKED = {".gz": "gzip", ".zst": "zstd"}


class Table:
    """Count the rows of each CSV, JSON and Parquet file, and tell its columns, types and nulls.

    Raises:
        MissingExtra: DuckDB is not installed.
    """

    columns: ClassVar = (
        Column("rows", "integer"),
        Column("columns", "json", meaning="name, type and nulls of each"),
    )
    example: ClassVar = "fsworkers process data -g '*.parquet' --task table -o tables.jsonl"
    descriptors: ClassVar = 2

    def __init__(self) -> None:
        need("table", "duckdb")

    def open_worker(self) -> _Reader:
        """Open a database in memory."""
        return _Reader()

    def __call__(self, path: str) -> dict[str, Any]:
        """Look at one file, in a database of its own."""
        return _Reader()(path)


class _Reader:
    def __init__(self) -> None:
        import duckdb  # noqa: PLC0415  (an extra)

        self._error = duckdb.Error
        # One thread: there is a worker a core. Nothing is fetched from anywhere.
        settings: dict[str, str | bool | int | float | list[str]] = {
            "threads": 1,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        self._database = duckdb.connect(":memory:", config=settings)

    def __call__(self, path: str) -> dict[str, Any]:
        """Look at one file.

        Raises:
            OSError: It can't be opened.
            ValueError: It can't be read as what its name says.
            Skip: Its name says nothing that is known.
        """
        stem, ending = os.path.splitext(path.lower())
        packing = _PACKED.get(ending)
        if packing is not None:
            ending = os.path.splitext(stem)[1]
        reader = _READERS.get(ending)
        if reader is None or (packing is not None and reader == "read_parquet"):
            raise Skip("its name does not end in .csv, .tsv, .json, .jsonl, .ndjson or .parquet")
        how = "" if packing is None else f", compression = '{packing}'"
        # Values of columns, but not what is deep within them: that takes long, and keys that differ
        # in case alone are refused. Where columns are such, they are JSON.
        ways = (
            [f"{how}, maximum_depth = {depth}" for depth in (2, 1)] if "json" in reader else [how]
        )
        with graceful.open(path, "rb", buffering=0) as file:
            # By number: what stands in names can't be a pattern then, and need be no UTF-8.
            name = f"/dev/fd/{file.fileno()}"
            for way in ways:
                try:
                    return self._tell(f"{reader}('{name}'{way})")
                except self._error as error:
                    reason = error
        raise ValueError(str(reason).partition("\n")[0].replace(name, path)) from reason

    def _tell(self, source: str) -> dict[str, Any]:
        execute = self._database.cursor().execute  # each thread has its own
        known = execute(f"DESCRIBE SELECT * FROM {source}").fetchall()  # noqa: S608  (a number)
        quoted = ['"' + name.replace('"', '""') + '"' for name, *_ in known]
        counts = ", ".join(f"count({name})" for name in ["*", *quoted])
        row = execute(f"SELECT {counts} FROM {source}").fetchone()  # noqa: S608  (names, quoted)
        rows, *filled = row if row is not None else [0]
        return {
            "rows": rows,
            "columns": [
                {"name": name, "type": kind, "nulls": rows - count}
                for (name, kind, *_), count in zip(known, filled, strict=True)
            ],
        }
