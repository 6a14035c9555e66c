"""A pool for code that relies on ``Executor.map`` to the letter: bare results, in order."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from fsworkers.pool.task_function import is_coroutine_function

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from fsworkers.pool.executor import Pool

P = ParamSpec("P")
T = TypeVar("T")


class StrictExecutor(Executor):
    """A pool whose ``map`` does what the standard library says.

    It draws its whole input at once, runs all of it whether results are taken or not, and raises
    the first exception in their place.

    Args:
        pool: Does the work; shutting this down shuts it down.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @property
    def _max_workers(self) -> int:
        return self._pool.worker_count

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """As ``Pool.submit``."""
        return self._pool.submit(fn, *args, **kwargs)

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
    ) -> Iterator[T]:
        """Yield ``fn``'s results in the order of the items.

        Args:
            fn: The function, or coroutine function.
            *iterables: Its arguments.
            timeout: Seconds from now after which a result that is not there is ``TimeoutError``.
            chunksize: How many items travel together.

        Raises:
            ValueError: ``chunksize`` is below 1.
        """
        if chunksize < 1:
            raise ValueError("chunksize must be at least 1")
        if chunksize == 1 or is_coroutine_function(fn):
            return super().map(fn, *iterables, timeout=timeout)
        arguments = zip(*iterables, strict=False)
        chunks = iter(lambda: tuple(islice(arguments, chunksize)), ())
        results = super().map(partial(_run_chunk, fn), chunks, timeout=timeout)
        return chain.from_iterable(results)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """As ``Pool.shutdown``."""
        self._pool.shutdown(wait, cancel_futures=cancel_futures)


def _run_chunk(fn: Callable[..., T], arguments: Iterable[tuple[Any, ...]]) -> list[T]:
    return [fn(*each) for each in arguments]
