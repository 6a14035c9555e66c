"""What one attempt comes to when it fails, and how a child that a task has forked is told apart."""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from fsworkers import graceful
from fsworkers.errors import CommandFailed, RetryLater, Skip
from fsworkers.graceful.patching.import_retry import refusal
from fsworkers.names import is_url
from fsworkers.pool.failures import Failure
from fsworkers.pool.payload import pack, pickle_value
from fsworkers.pool.retry import is_dubious, is_starved, is_worth_retrying

if TYPE_CHECKING:
    from fsworkers.pool.task_function import TaskFunction


def measure(item: Any) -> tuple[int | None, int | None]:
    """Bytes and modification time of the file, or URL, ``item`` is; ``None`` if it is none."""
    try:
        status = os.stat(item)
    except (OSError, TypeError, ValueError):
        if not is_url(item):
            return None, None  # the task will meet the reason and say it
        from fsworkers.storage import measure as measure_url  # noqa: PLC0415  (only with URLs)

        return measure_url(item)
    return status.st_size, status.st_mtime_ns


def describe(error: BaseException, task: TaskFunction) -> Failure:
    """Put an exception into plain data; the exception itself goes along only to futures."""
    if (number := refusal(error)) != 0:
        graceful.BUDGET.shrink(machine_wide=number == errno.ENFILE)
    inner = error.__traceback__.tb_next if error.__traceback__ is not None else None
    try:
        message = str(error)
    except Exception as broken:  # noqa: BLE001  (a user's __str__ raises anything)
        message = f"<its message can't be shown: {type(broken).__name__}>"
    name = type(error).__name__
    if isinstance(error, Skip):
        return Failure(message, is_skip=True)
    value = None
    if isinstance(error, CommandFailed):
        trace, value = error.report, pack(error.value)
    else:
        from fsworkers.pool.tracebacks import traceback_text  # noqa: PLC0415  (few have a failure)

        trace = traceback_text(error, inner)
    try:
        is_transient = is_worth_retrying(error, task.retry_on)
    except Exception as broken:  # noqa: BLE001  (a user's predicate raises anything)
        is_transient = False
        message = f"{message} (and retry_on raised {type(broken).__name__}: {broken})"
    if message and not isinstance(error, CommandFailed):
        message = f"{name}: {message}"
    return Failure(
        error=message or name,
        traceback=trace,
        is_transient=is_transient,
        is_dubious=task.retry_on is None and is_dubious(error),
        retry_s=error.delay_s if isinstance(error, RetryLater) else None,
        is_overdue=isinstance(error, CommandFailed) and error.is_overdue,
        is_starved=is_starved(error),
        value=value,
        exception=_pickle_exception(error) if task.wants_exceptions else None,
    )


def _pickle_exception(error: BaseException) -> bytes | None:
    try:
        return pickle_value(error.with_traceback(None))
    except Exception as unpicklable:  # noqa: BLE001  (the text travels instead, and says so)
        print(f"fsworkers: {type(error).__name__} can't be pickled: {unpicklable}", file=sys.stderr)  # noqa: T201
        return None


class _Fork:
    """Whether this process is a child that a task has forked: it runs no further item."""

    has_happened = False


def note_fork() -> None:
    """Called in the child."""
    _Fork.has_happened = True


def leave_if_forked(error: BaseException | None) -> None:
    """End a forked child where its parent's item would end, as a program of its own would."""
    if _Fork.has_happened:
        _leave(error)


def _leave(error: BaseException | None) -> NoReturn:
    code = 0
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    elif error is not None:
        import traceback  # noqa: PLC0415  (as in describe)

        traceback.print_exception(error)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
