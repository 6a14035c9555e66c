"""The whole error hierarchy: one root, and a builtin mixed in that a caller would catch.

The descriptor layer's own errors are defined beside it (it stands alone) and shown here too.
"""

from __future__ import annotations

from fsworkers.graceful.errors import (
    BudgetTimeout,
    BudgetTooSmall,
    DescriptorDeadlock,
    FsworkersError,
    GracefulError,
    TooFewDescriptors,
)

__all__ = [
    "BadOption",
    "BadSetting",
    "BadTemplate",
    "BudgetTimeout",
    "BudgetTooSmall",
    "CommandFailed",
    "DescriptorDeadlock",
    "DirectoryNotPrivate",
    "FsworkersError",
    "GracefulError",
    "MissingExtra",
    "NotCallable",
    "PoolClosed",
    "PoolDoesNotFit",
    "RemoteError",
    "RetryLater",
    "Skip",
    "TaskLoadError",
    "TaskNotFound",
    "TooFewDescriptors",
    "TookTooLong",
    "UnpicklableTask",
    "UnpicklableValue",
    "WorkerDied",
    "WorkerStartError",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fsworkers.broken import WorkerDied, WorkerStartError


def __getattr__(name: str) -> object:
    """Load the errors of broken executors (PEP 562)."""
    if name in {"WorkerDied", "WorkerStartError"}:
        from fsworkers import broken  # noqa: PLC0415  (see there)

        return getattr(broken, name)
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)


class BadSetting(FsworkersError, ValueError):
    """A setting has a value that it can't have."""

    def __init__(self, setting: str, value: object, accepted: str) -> None:
        self.setting = setting
        self.value = value
        self.accepted = accepted
        super().__init__(f"{setting} is {value!r}; give {accepted}")


class BadOption(FsworkersError, ValueError):
    """An option of the command line can't be understood."""

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(message)


class BadTemplate(FsworkersError, ValueError):
    """A command or an output's name has braces that mean nothing."""

    def __init__(self, template: str, reason: str) -> None:
        self.template = template
        self.reason = reason
        super().__init__(f"template {template!r}: {reason}")


class CommandFailed(FsworkersError, RuntimeError):
    """A command did not end with exit code 0, or not in time, or left no output.

    Attributes:
        reason: What happened, in a line.
        value: ``{exit, stdout, stderr}``, if it was started.
        report: The command and its last lines, for a person.
        may_pass: Its exit code is among those that are worth another attempt.
        is_overdue: It took too long, and was ended.
    """

    def __init__(
        self,
        reason: str,
        value: object = None,
        report: str = "",
        may_pass: bool = False,
        is_overdue: bool = False,
    ) -> None:
        self.reason = reason
        self.value = value
        self.report = report
        self.may_pass = may_pass
        self.is_overdue = is_overdue
        super().__init__(reason)

    def __reduce__(self) -> tuple[type[CommandFailed], tuple[object, ...]]:
        """Travel with everything that is known of it."""
        return type(self), (self.reason, self.value, self.report, self.may_pass, self.is_overdue)


class MissingExtra(FsworkersError, ImportError):
    """Something was asked for that needs a package which is not installed."""

    def __init__(self, purpose: str, extra: str) -> None:
        self.purpose = purpose
        self.extra = extra
        super().__init__(f"{purpose} is not installed; run: pip install 'fsworkers[{extra}]'")


class TaskNotFound(FsworkersError, LookupError):
    """No built-in task of that name, or no such module or function."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason
        super().__init__(f"task {name!r}: {reason}")


class NotCallable(FsworkersError, TypeError):
    """Something was given to be run that is no function."""

    def __init__(self, value: object) -> None:
        self.value = value
        super().__init__(f"{value!r} can't be called; give a function")


class UnpicklableTask(FsworkersError, TypeError):
    """A task function can't be sent to the workers."""

    def __init__(self, function: str, reason: str) -> None:
        self.function = function
        self.reason = reason
        super().__init__(
            f"{function} can't be sent to the workers ({reason}); let it open files, sockets "
            "and locks itself instead of holding on to open ones"
        )


class UnpicklableValue(FsworkersError, TypeError):
    """An item or a result can't travel between the processes."""

    def __init__(self, type_name: str, reason: str) -> None:
        self.type_name = type_name
        self.reason = reason
        super().__init__(f"a value of type {type_name} can't be pickled ({reason})")


class TaskLoadError(FsworkersError, ImportError):
    """The task function can't be imported in the workers, so no job of the run can be executed."""

    def __init__(self, reason: str, remote_traceback: str) -> None:
        self.reason = reason
        self.remote_traceback = remote_traceback
        super().__init__(f"the task can't be loaded in the workers: {reason}\n{remote_traceback}")


class PoolDoesNotFit(FsworkersError, OSError):
    """The descriptor limit leaves no room for what was asked."""

    def __init__(self, purpose: str, needed: int, free: int) -> None:
        self.purpose = purpose
        self.needed = needed
        self.free = free
        super().__init__(
            f"{purpose} needs {needed} descriptors and {free} are free; raise the limit (ulimit -n)"
        )


class DirectoryNotPrivate(FsworkersError, PermissionError):
    """Sockets would lie where other users can reach them."""

    def __init__(self, parent: str, mode: int) -> None:
        self.parent = parent
        self.mode = mode
        super().__init__(
            f"a new directory in {parent} is open to others (mode {mode:04o}); "
            "set TMPDIR to a directory on a file system that keeps permissions"
        )


class PoolClosed(FsworkersError, RuntimeError):
    """The pool has been shut down, or belongs to the process that this one was forked from."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class RemoteError(FsworkersError):
    """A task's exception that could not travel; its text did."""

    def __init__(self, error: str, remote_traceback: str) -> None:
        self.error = error
        self.remote_traceback = remote_traceback
        super().__init__(f"{error}\n{remote_traceback}".rstrip())


class TookTooLong(RemoteError, TimeoutError):
    """A job was ended because an attempt took longer than the pool's ``timeout``."""


class RetryLater(FsworkersError):
    """Raised by a task function to be tried again on its file after ``delay_s`` seconds.

    The job holds no slot meanwhile. It counts as an attempt but not as a failure, so it needs no
    ``retries``; after a hundred times the job has ``failed``.
    """

    def __init__(self, delay_s: float, reason: str = "not yet") -> None:
        self.delay_s = delay_s
        self.reason = reason
        super().__init__(f"{reason} (asked to be tried again after {delay_s:g} s)")


class Skip(FsworkersError):
    """Raised by a task function to decline its file: the outcome is ``skipped``."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)
