"""What can be wrong with a stress run before it begins, and what ends one."""

from __future__ import annotations

from errno import ENOSPC
from typing import TYPE_CHECKING

from fsworkers.errors import FsworkersError

if TYPE_CHECKING:
    from collections.abc import Sequence


class UnknownScenario(FsworkersError, LookupError):
    """There is no scenario of that name."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.name = name
        self.known = tuple(known)
        super().__init__(f"no scenario is called {name!r}; there are {', '.join(known)}")


class LimitTooSmall(FsworkersError, ValueError):
    """A worker can't even start under the limit that was asked for."""

    def __init__(self, limit: int, least: int, reason: str) -> None:
        self.limit = limit
        self.least = least
        self.reason = reason
        super().__init__(f"--max-open-files {limit} is too small: the least is {least} ({reason})")


class LimitTooLarge(FsworkersError, ValueError):
    """The limit that was asked for is above what this process may set."""

    def __init__(self, limit: int, hard_limit: int) -> None:
        self.limit = limit
        self.hard_limit = hard_limit
        super().__init__(
            f"--max-open-files {limit} is above the hard limit of {hard_limit} (ulimit -Hn), "
            "which only the administrator can raise"
        )


class NoSpace(FsworkersError, OSError):
    """A run does not fit where temporary files go; nothing of it is left behind."""

    def __init__(self, folder: str, needed: str, free: str, what: str = "the tree") -> None:
        self.folder = folder
        self.needed = needed
        self.free = free
        self.what = what
        OSError.__init__(
            self,
            ENOSPC,
            f"{what} needs {needed} in {folder}, where {free} is free; set TMPDIR to "
            "another place, or ask for less with --files and --size, or a smaller --input",
        )

    def __str__(self) -> str:
        return str(self.args[1])


class StageFailed(FsworkersError, RuntimeError):
    """The process that runs one side ended without having done its work."""

    def __init__(self, scenario: str, side: str, output: str) -> None:
        self.scenario = scenario
        self.side = side
        self.output = output
        super().__init__(f"the {side} side of {scenario} failed to run:\n{output}".rstrip())
