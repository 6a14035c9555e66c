"""What asyncio itself opens, with its permits awaited: connections, servers, subprocesses, files.

Their sockets and pipes are made on the loop's thread, where a wait would stop every task. So the
permits are awaited first, as a reservation, and those calls draw on it.

Files are opened in the loop's executor (by aiofiles, or ``asyncio.to_thread(open, path)``). To wait
for a permit there would keep its few threads from the reads and closes that free one.
"""

from __future__ import annotations

import inspect
from asyncio import BaseEventLoop, SelectorEventLoop, _get_running_loop
from asyncio.selector_events import BaseSelectorEventLoop
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial, wraps
from typing import TYPE_CHECKING, Any
from weakref import finalize

from fsworkers.graceful.aio import offload
from fsworkers.graceful.budget import descriptor_table, owners
from fsworkers.graceful.budget.budget import BUDGET, Budget
from fsworkers.graceful.budget.reservation import reserve
from fsworkers.graceful.errors import BudgetTimeout
from fsworkers.graceful.opening import open_file
from fsworkers.graceful.opening.retry import run_with_permits
from fsworkers.graceful.patching import asyncio_servers
from fsworkers.graceful.patching.limited_threads import opening_of
from fsworkers.graceful.subprocess import PIPE, descriptors_needed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fsworkers.graceful.budget.permits import HeldPermit

PATIENCE_S = 5.0
"""How long a loop waits for others to end; they may be there to stay."""

_loops = Budget(1)


def methods() -> Iterator[tuple[type[Any], str, Any]]:
    """Class, method and what replaces it."""
    one, streams = partial(_awaiting, _one), partial(_awaiting, _for_streams)
    wraps: tuple[tuple[type[Any], str, Callable[[Any], Any]], ...] = (
        (BaseEventLoop, "create_connection", partial(_awaiting, _for_tries)),
        (BaseEventLoop, "create_datagram_endpoint", one),
        (BaseEventLoop, "create_server", partial(_awaiting, _for_hosts)),
        (SelectorEventLoop, "create_unix_connection", one),
        (SelectorEventLoop, "create_unix_server", one),
        (BaseEventLoop, "subprocess_exec", streams),
        (BaseEventLoop, "subprocess_shell", streams),
        (BaseEventLoop, "run_in_executor", _awaiting_files),
        (BaseSelectorEventLoop, "__init__", _three_at_once),
        (BaseSelectorEventLoop, "close", _giving_all_back),
        (BaseSelectorEventLoop, "_accept_connection", asyncio_servers.letting_in),
        (BaseSelectorEventLoop, "_stop_serving", asyncio_servers.leaving_the_line),
        (BaseSelectorEventLoop, "sock_accept", asyncio_servers.after_a_permit),
    )
    for kind, name, wrap in wraps:
        if hasattr(kind, name):
            yield kind, name, wrap(getattr(kind, name))


def methods_of_uvloop() -> Iterator[tuple[type[Any], str, Any]]:
    """The same for uvloop, which makes its sockets itself and opens files as asyncio does."""
    from uvloop import Loop  # noqa: PLC0415 - called when it is loaded, if ever

    yield Loop, "run_in_executor", _awaiting_files(Loop.run_in_executor)


def _three_at_once(original: Callable[..., None]) -> Callable[..., None]:
    """A loop's selector, and the pair of sockets it is woken by.

    At once, so that a thread that waits to run a loop holds nothing of one.
    """

    @wraps(original)
    def init(self: Any, selector: Any = None) -> None:
        _wait_for_others(self)
        count = 2 + (selector is None)
        make = partial(original, self, selector)
        _, lent = run_with_permits(make, "an event loop", count, is_drawn_on=True)
        if lent:
            descriptor_table.keep(self._selector.fileno(), lent.pop())

    return init


def _wait_for_others(loop: Any) -> None:
    """Only so many loops at a time that their tasks find something left, or for a while."""
    ceiling = BUDGET.line.ceiling
    most = max(1, (ceiling - min(8, ceiling // 4)) // 3)
    if _loops.line.ceiling != most:
        _loops.resize(most)
    with suppress(BudgetTimeout):
        place = _loops.take("an event loop", wait_s=PATIENCE_S)
        loop._graceful_end = finalize(loop, place.give_back)  # noqa: SLF001 - a name of ours


def _giving_all_back(original: Callable[..., None]) -> Callable[..., None]:
    """``BaseSelectorEventLoop.close``."""

    @wraps(original)
    def close(self: Any) -> None:
        original(self)
        asyncio_servers.leave_all(self)
        descriptor_table.sweep()  # its selector's is in there
        getattr(self, "_graceful_end", bool)()

    return close


def _one(**_options: Any) -> int:
    return 1


def _for_tries(*, happy_eyeballs_delay: float | None = None, **_options: Any) -> int:
    """With a delay, the next address is tried while the last one still is."""
    return 1 if happy_eyeballs_delay is None else 2


def _for_hosts(host: Any = None, **_options: Any) -> int:
    """A server's sockets: one for each address, that is, two where there is IPv6."""
    return 2 * (len(host) if isinstance(host, list) else 1)


def _for_streams(stdin: Any = PIPE, stdout: Any = PIPE, stderr: Any = PIPE, **_options: Any) -> int:
    """Without a word from the caller asyncio makes three pipes; its stdin is a pair of sockets."""
    return descriptors_needed(stdin, stdout, stderr)


def _awaiting(count: Callable[..., int], original: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(original)

    @wraps(original)
    async def call(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        options = bound.arguments
        host = options.get("host")
        if isinstance(host, Iterable) and not isinstance(host, str | bytes):
            options["host"] = list(host)  # of a server; an iterator can be gone through but once
        needed = count(**options) if options.get("sock") is None else 0
        if needed == 0:
            return await original(*bound.args, **bound.kwargs)
        async with reserve(needed):
            return await original(*bound.args, **bound.kwargs)

    return call


def _awaiting_files(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def run_in_executor(self: Any, executor: Any, func: Any, *args: Any) -> Any:
        opening = opening_of(func, args)
        has_threads = executor is None or isinstance(executor, ThreadPoolExecutor)
        is_here = _get_running_loop() is self
        if opening is None or not has_threads or not is_here:
            return original(self, executor, func, *args)
        owner = owners.identify()
        owners.started_by.set(owner)
        return self.create_task(_open(opening, executor, owner))

    return run_in_executor


async def _open(opening: partial[Any], executor: Any, owner: int) -> Any:
    """Open a file on a thread with a permit awaited before, which belongs to who asked."""

    def action(lent: list[HeldPermit]) -> Any:
        lent[0].real().owner = owner
        return open_file.open_with(lent, *opening.args, **opening.keywords)

    where = offload.LOOPS_OWN if executor is None else executor
    return await offload.bring(action, opening.args[0], executor=where)
