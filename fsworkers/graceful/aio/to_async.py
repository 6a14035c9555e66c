"""Blocking calls as coroutine functions, with aiofiles' ``loop`` and ``executor`` keywords."""

from __future__ import annotations

from functools import partial, wraps
from typing import TYPE_CHECKING, Any

from fsworkers.graceful.aio import offload

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


def wrap(func: Callable[..., Any]) -> Callable[..., Coroutine[Any, Any, Any]]:
    """A call that opens nothing, as a coroutine function."""

    @wraps(func)
    async def run(*args: Any, loop: Any = None, executor: Any = None, **kwargs: Any) -> Any:
        return await offload.run(partial(func, *args, **kwargs), loop=loop, executor=executor)

    return run


def wrap_opening(
    function: Callable[..., Any], count: int = 1
) -> Callable[..., Coroutine[Any, Any, Any]]:
    """A call that opens up to ``count`` descriptors and closes them, as a coroutine function."""

    @wraps(function)
    async def run(*args: Any, loop: Any = None, executor: Any = None, **kwargs: Any) -> Any:
        call = partial(function, *args, **kwargs)
        label = args[0] if args else function.__name__
        return await offload.run_under(call, label, count, loop=loop, executor=executor)

    return run


def name_after(namespace: dict[str, Any]) -> None:
    """Name the wrapped calls of a module after where they can be found, and so pickled."""
    for name, value in namespace.items():
        if hasattr(value, "__wrapped__"):
            value.__module__ = namespace["__name__"]
            value.__qualname__ = name
