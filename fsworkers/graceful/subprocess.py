"""``subprocess`` that asks for all its descriptors at once.

What starting takes, measured: 2 for the pipe that reports a failed exec, 1 for DEVNULL however
often it is named, 2 for each pipe. So 2 when all is inherited, 3 with DEVNULL, 6 when output and
errors are captured, 8 with three pipes. Of a pipe one end stays open, as a file that holds its
permit; the rest is given back when the child has started.
"""

from __future__ import annotations

import subprocess as _subprocess
from functools import wraps
from types import FunctionType
from typing import TYPE_CHECKING, Any

from fsworkers.graceful.budget import raise_limit
from fsworkers.graceful.budget.reservation import reserve
from fsworkers.graceful.rebound_modules import twin

if TYPE_CHECKING:
    from collections.abc import Callable

_twin: Any = twin(_subprocess, __name__, keep=("CompletedProcess", "_active"))


def descriptors_needed(stdin: Any, stdout: Any, stderr: Any) -> int:
    """How many descriptors a start takes at its height."""
    streams = (stdin, stdout, stderr)
    pipes = [one for one in streams if one == _subprocess.PIPE]
    return 2 + (_subprocess.DEVNULL in streams) + 2 * len(pipes)


def init_with(original: Callable[..., None]) -> Callable[..., None]:
    """A ``Popen.__init__`` that asks for all its descriptors at once."""

    @wraps(original)
    def init(
        self: Any,
        args: Any,
        bufsize: int = -1,
        executable: Any = None,
        stdin: Any = None,
        stdout: Any = None,
        stderr: Any = None,
        preexec_fn: Any = None,
        *more: Any,
        **options: Any,
    ) -> None:
        streams = stdin, stdout, stderr
        with reserve(descriptors_needed(*streams)):
            original(self, args, bufsize, executable, *streams, preexec_fn, *more, **options)
        if preexec_fn is None:  # which may have set a limit
            raise_limit.restore_soft_limit_of(self.pid)

    return init


class Popen(_subprocess.Popen):  # type: ignore[type-arg]  # str or bytes
    """``subprocess.Popen`` under permits."""

    __init__ = init_with(_twin.Popen.__init__)


for _name, _value in vars(_twin.Popen).items():
    if isinstance(_value, FunctionType) and _name != "__init__":
        setattr(Popen, _name, _value)
_twin.Popen = Popen


def __getattr__(name: str) -> Any:
    return getattr(_twin, name)


def __dir__() -> list[str]:
    return sorted({*dir(_subprocess), *globals()})
