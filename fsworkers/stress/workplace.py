"""The directories of a run: made empty, filled with the tree, and removed whatever happens."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from contextlib import ExitStack, contextmanager
from secrets import token_hex
from threading import Event as Pause
from typing import TYPE_CHECKING

import msgspec

from fsworkers.errors import FsworkersError
from fsworkers.stress.interrupts import ignore_interrupts
from fsworkers.stress.space import full_disk_told
from fsworkers.stress.tree import build_tree, check_space

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fsworkers.stress.records import Plan

LOGGER = logging.getLogger("fsworkers")

LONGEST_BYTES = 70
"""Of a directory in which sockets are made: an address holds 107 bytes with all that follows."""

REMOVALS = 20
REST_S = 0.1


class Workplace(msgspec.Struct, frozen=True):
    """Where a run takes place.

    Attributes:
        folder: With the directories ``tree`` and ``scratch``, and a board for each side.
        temporary: Where both sides make temporary files and sockets; as a rule the same one.
    """

    folder: str
    temporary: str


@contextmanager
def workplace(plan: Plan, tell_kept: Callable[[str], None] | None = None) -> Iterator[Workplace]:
    """Make the directories of a run with its tree; they are removed at the end.

    From then on interrupts are ignored: ``interrupts_as_exception`` gives them back.

    Args:
        plan: What was asked for.
        tell_kept: Keep the tree, unless the run was refused, and say where it is by this.

    Raises:
        NoSpace: There is no room, before or in the middle of the run.
    """
    parent = tempfile.gettempdir()
    if plan.call is None:
        check_space(parent, plan.files, plan.size_bytes)
    with ExitStack() as stack:
        folder = stack.enter_context(_own_folder(parent, tell_kept))
        temporary = folder
        if len(os.fsencode(folder)) >= LONGEST_BYTES:
            temporary = stack.enter_context(_own_folder("/tmp"))  # noqa: S108  (a short path)
        stack.enter_context(full_disk_told(folder))
        os.mkdir(os.path.join(folder, "scratch"))
        os.mkdir(os.path.join(folder, "tree"))
        if plan.call is None:
            build_tree(os.path.join(folder, "tree"), plan.files, plan.size_bytes, plan.seed)
        yield Workplace(folder, temporary)


@contextmanager
def _own_folder(parent: str, tell_kept: Callable[[str], None] | None = None) -> Iterator[str]:
    """A directory that only we can enter.

    Not by ``mkdtemp``: an interrupt just before its result is stored would leave it behind.
    """
    folder = os.path.join(parent, f"fsworkers-stress-{token_hex(6)}")
    try:
        os.mkdir(folder, 0o700)
        yield folder
    except FsworkersError:
        tell_kept = None
        raise
    finally:
        try:
            ignore_interrupts()
        finally:  # one that has come before that has had all others ignored
            if tell_kept is None:
                _remove(folder)
            else:
                tell_kept(folder)


def _remove(folder: str) -> None:
    """Remove a directory; a process that is just ending may still put something in."""
    for _ in range(REMOVALS):
        shutil.rmtree(folder, ignore_errors=True)
        if not os.path.lexists(folder):
            return
        Pause().wait(REST_S)
    LOGGER.warning("%s could not be removed", folder)
