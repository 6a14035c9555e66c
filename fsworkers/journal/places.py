"""Where journals lie, which runs there are in them, and which are thrown away.

Without ``--journal`` each run has a file of its own in the user's state directory, named for the
run, and so for its beginning. A new run keeps the newest ``KEPT_RUNS`` of these, itself among
them; one that is still going on is never thrown away. A file that the user named is never pruned.
"""

from __future__ import annotations

import logging
import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from fsworkers.journal.errors import (
    JournalError,
    JournalUnwritable,
    RunAmbiguous,
    RunInProgress,
    RunNotFound,
)
from fsworkers.journal.locks import RunLock, running
from fsworkers.journal.record import read_runs
from fsworkers.journal.schema import connect, files_of, reading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fsworkers.journal.record import RunRecord

LOGGER = logging.getLogger("fsworkers")

KEPT_RUNS = 20
_MOST_NAMED = 5


class Located(NamedTuple):
    """A run and the journal that it is in."""

    journal: Path
    run: RunRecord


def default_directory() -> Path:
    """Where journals lie that nobody named: ``$XDG_STATE_HOME/fsworkers/runs`` on Linux.

    Raises:
        JournalUnwritable: This user has no home directory.
    """
    from platformdirs import user_state_path  # noqa: PLC0415  (10 ms; not with a named journal)

    try:
        directory = user_state_path("fsworkers") / "runs"
    except RuntimeError:  # newer versions of it; others leave the tilde as it is
        directory = Path("~/.local/state/fsworkers/runs")
    if not directory.is_absolute():
        raise JournalUnwritable(os.fspath(directory), "this user has no home directory")
    return directory


def default_journal(run_id: str) -> Path:
    """Where a run's journal lies if nobody names one."""
    return default_directory() / f"{run_id}.db"


def make_room() -> None:
    """Make the directory of journals that nobody named, and throw away old ones.

    Raises:
        JournalUnwritable: The directory can't be made or written to.
    """
    directory = default_directory()
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(directory, os.W_OK | os.X_OK):
            raise JournalUnwritable(os.fspath(directory), "its directory is not writable")
        for journal in surplus(_run_files(directory), KEPT_RUNS - 1):
            _throw_away(journal)
        for name in os.listdir(directory):
            if name.startswith(".") and name.endswith(".tmp"):  # of one killed in making it
                _throw_away(directory / name.removeprefix(".").removesuffix(".tmp"))
    except OSError as error:
        if isinstance(error, JournalError):
            raise
        raise JournalUnwritable(os.fspath(directory), os.strerror(error.errno or 0)) from error


def surplus(journals: Sequence[Path], kept: int) -> Sequence[Path]:
    """Those to be thrown away when only the newest ``kept`` stay; names begin with the time."""
    return sorted(journals, reverse=True)[kept:]


def find_runs(journal: Path | None) -> list[Located]:
    """All runs of one journal, or of all that nobody named; the oldest first.

    Of the latter, one that can't be read is left out with a warning.

    Raises:
        JournalError: The journal that was named can't be read.
    """
    if journal is not None:
        return _runs_in(journal)
    found = []
    for path in _run_files(default_directory()):
        try:
            found += _runs_in(path)
        except JournalError as error:
            if os.path.lexists(path):  # it was thrown away just now, otherwise
                LOGGER.warning("%s", error)
    return sorted(found, key=lambda located: located.run.started)


def find_run(journal: Path | None, wanted: str | None) -> Located:
    """The run with that name, or whose name begins so; the last one if none is wanted.

    Raises:
        RunNotFound: There is none.
        RunAmbiguous: There are several.
        JournalError: The journal that was named can't be read.
    """
    runs = find_runs(journal)
    fitting = [one for one in runs if one.run.id.startswith(wanted or "")]
    exact = [one for one in fitting if one.run.id == wanted]
    if exact:
        return exact[0]
    if not fitting:
        raise RunNotFound(wanted or "", os.fspath(journal or default_directory()))
    if wanted is not None and len(fitting) > 1:
        named = [one.run.id for one in fitting[-_MOST_NAMED:]]
        more = len(fitting) - len(named)
        raise RunAmbiguous(wanted, ", ".join(named) + (f" and {more} more" if more else ""))
    return fitting[-1]


def _run_files(directory: Path) -> list[Path]:
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    return sorted(
        directory / name for name in names if name.endswith(".db") and not name.startswith(".")
    )


def _runs_in(journal: Path) -> list[Located]:
    with closing(connect(journal)) as connection, reading(journal):
        runs = read_runs(connection)
    alive = running(journal) if any(run.state == "running" for run in runs) else None
    return [
        Located(
            journal,
            replace(run, state="killed") if run.state == "running" and run.id != alive else run,
        )
        for run in runs
    ]


def _throw_away(journal: Path) -> None:
    try:
        lock = RunLock(journal, journal.stem)
    except (RunInProgress, JournalUnwritable):
        return  # it stays: this is no reason for another run not to begin
    try:
        for path in (*files_of(journal)[:-1], journal.with_name(f".{journal.name}.tmp")):
            path.unlink(missing_ok=True)
    finally:
        lock.release()
