"""Our own outputs that are tables, ``.db`` and ``.parquet``, read back row by row."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING, Any

from fsworkers import graceful
from fsworkers.errors import MissingExtra

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

SUFFIXES = (".db", ".sqlite", ".parquet")


class Unreadable(Exception):
    """It is no such table, or damaged."""


def table_rows(path: str, columns: Collection[str]) -> Iterator[dict[str, Any]]:
    """Each row, as far as there are such columns.

    Raises:
        Unreadable: It can't be read; the message says why.
        MissingExtra: It is Parquet, and pyarrow is not installed.
    """
    return (_parquet if path.lower().endswith(".parquet") else _sqlite)(path, columns)


def _sqlite(path: str, columns: Collection[str]) -> Iterator[dict[str, Any]]:
    import sqlite3  # noqa: PLC0415  (only for these; likewise below)
    from urllib.parse import quote  # noqa: PLC0415

    place = f"file:{quote(os.fsencode(path))}?mode=ro"
    try:
        with closing(sqlite3.connect(place, uri=True)) as connection:
            found = connection.execute("SELECT * FROM files ORDER BY rowid")
            names = [one[0] for one in found.description]
            for row in found:
                pairs = zip(names, row, strict=True)
                yield {name: value for name, value in pairs if name in columns}
    except sqlite3.Error as error:
        raise Unreadable(f"no output of fsworkers: {error}") from error


def _parquet(path: str, columns: Collection[str]) -> Iterator[dict[str, Any]]:
    try:
        from pyarrow import ArrowException, parquet  # noqa: PLC0415  (an extra)
    except ImportError as error:
        raise MissingExtra("Parquet", "parquet") from error
    try:
        # A file that was opened by its name would stay open where it can't be read.
        with graceful.open(path, "rb") as opened, parquet.ParquetFile(opened) as file:
            names = [one for one in file.schema_arrow.names if one in columns]
            for batch in file.iter_batches(columns=names):
                yield from batch.to_pylist()
    except (ArrowException, OSError) as error:
        raise Unreadable(f"no output of fsworkers: {error}") from error
