"""What can be wrong with a journal, or with the run that is looked for in one."""

from __future__ import annotations

from fsworkers.errors import FsworkersError
from fsworkers.names import printable

__all__ = [
    "JournalBusy",
    "JournalError",
    "JournalFailed",
    "JournalTooNew",
    "JournalUnreadable",
    "JournalUnwritable",
    "NotAJournal",
    "RunAmbiguous",
    "RunInProgress",
    "RunNotFound",
    "RunNotResumable",
]


class JournalError(FsworkersError):
    """A journal cannot do what it should: the root of the errors of this package."""


class NotAJournal(JournalError, ValueError):
    """A file was given as a journal and is something else. It has not been touched."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(
            f"'{printable(path)}' is not a journal of fsworkers; give another file to --journal"
        )


class JournalTooNew(JournalError, ValueError):
    """A journal was written by a later version of fsworkers. It has not been touched."""

    def __init__(self, path: str, version: int, known: int) -> None:
        self.path = path
        self.version = version
        self.known = known
        super().__init__(
            f"the journal '{printable(path)}' has format {version} and this fsworkers knows up to "
            f"{known}; update fsworkers, or give another file to --journal"
        )


class JournalUnwritable(JournalError, OSError):
    """A journal cannot be opened or made. Nothing was written."""

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(
            f"the journal '{printable(path)}' can't be used: {reason}; "
            "give a file to --journal, or --no-journal"
        )


class JournalUnreadable(JournalError, OSError):
    """What a journal holds cannot be read, for example because it is damaged."""

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"the journal '{printable(path)}' can't be read: {reason}")


class JournalBusy(JournalError, TimeoutError):
    """Another program holds a journal locked, longer than is worth waiting for."""

    def __init__(self, path: str, waited_s: float) -> None:
        self.path = path
        self.waited_s = waited_s
        super().__init__(
            f"the journal '{printable(path)}' was locked by another program for {waited_s:g} s"
        )


class JournalFailed(JournalError, OSError):
    """Writing to a journal failed in mid-run, for example because the disk is full.

    Nothing of what was being written is recorded; ``remedy`` says what to do about it.
    """

    def __init__(self, path: str, reason: str, remedy: str) -> None:
        self.path = path
        self.reason = reason
        self.remedy = remedy
        super().__init__(f"writing to the journal '{printable(path)}' failed: {reason}; {remedy}")


class RunInProgress(JournalError, BlockingIOError):
    """A run that should be gone on with, or its journal, is in use by a process that lives."""

    def __init__(self, path: str, holder: str) -> None:
        self.path = path
        self.holder = holder
        super().__init__(
            f"the journal '{printable(path)}' is in use: {printable(holder)} is still running"
        )


class RunNotFound(JournalError, LookupError):
    """No run of that name is recorded."""

    def __init__(self, wanted: str, place: str) -> None:
        self.wanted = wanted
        self.place = place
        what = f"no run '{printable(wanted)}'" if wanted else "no run"
        super().__init__(f"{what} is recorded in '{printable(place)}'; fsworkers runs lists them")


class RunAmbiguous(JournalError, LookupError):
    """The beginning of a run's name that was given fits several."""

    def __init__(self, wanted: str, fitting: str) -> None:
        self.wanted = wanted
        self.fitting = fitting
        super().__init__(f"'{printable(wanted)}' may be any of {fitting}; give more of the name")


class RunNotResumable(JournalError, ValueError):
    """A run can't be gone on with, for a reason that its message tells."""

    def __init__(self, run: str, reason: str) -> None:
        self.run = run
        self.reason = reason
        super().__init__(f"run {run} can't be gone on with: {reason}")
