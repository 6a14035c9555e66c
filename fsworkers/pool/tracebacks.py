"""The text of a task's traceback: it ends where the user's code ends."""

from __future__ import annotations

import os
import traceback
from typing import TYPE_CHECKING

import fsworkers

if TYPE_CHECKING:
    from types import TracebackType

_OURS = os.path.join(fsworkers.__path__[0], "")


def traceback_text(error: BaseException, frames: TracebackType | None) -> str:
    """Format an exception without the frames of this package, and tell how many there were.

    Those of a built-in task, which are all ours, stay.
    """
    told = traceback.TracebackException(type(error), error, frames)
    count = _leave_out_ours(told)
    text = "".join(told.format())
    if not count:
        return text
    return f"{text}({count} {'frame' if count == 1 else 'frames'} of fsworkers not shown)\n"


def _leave_out_ours(told: traceback.TracebackException | None) -> int:
    """Leave them out, in what it came of as well; how many there were below the user's first."""
    if told is None:
        return 0
    is_ours = [frame.filename.startswith(_OURS) for frame in told.stack]
    count = 0
    if not all(is_ours):
        count = sum(is_ours[is_ours.index(False) :])
        kept = [frame for frame, ours in zip(told.stack, is_ours, strict=True) if not ours]
        told.stack[:] = kept
    parts = (told.__cause__, told.__context__, *(told.exceptions or ()))
    return count + sum(map(_leave_out_ours, parts))
