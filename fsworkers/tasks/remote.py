"""Tasks on URLs: they get a local copy of the file for as long as they run, or read its stream.

A copy lies in a directory of its own under the file's name, below one for the run, and is removed
when the task has returned: there is one for each job at work, and no more.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from contextlib import contextmanager
from functools import partial
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from fsworkers import storage
from fsworkers.errors import BadOption
from fsworkers.tasks.reading import ReadsWhole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PASSED_ON = frozenset({"columns", "descriptors", "reducer", "still_holds"})


class Copies:
    """Where a run's local copies are. What a worker that was killed left goes when this does."""

    __slots__ = ("__weakref__", "folder")

    def __init__(self) -> None:
        self.folder = os.path.join(tempfile.gettempdir(), f"fsworkers-{token_hex(8)}")
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)

    @contextmanager
    def of(self, url: str) -> Iterator[str]:
        """Copy a file, and remove the copy at the end.

        Raises:
            OSError: It can't be read, or there is no room for it.
        """
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.folder, ignore_cleanup_errors=True) as folder:
            bare = url.partition("?")[0] if url.startswith("http") else url
            path = os.path.join(folder, bare.rpartition("/")[2])
            storage.fetch(url, path)
            yield path


class Localised:
    """A task function that is called with a local copy."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.copies = Copies()
        kind = type(function)
        self.__module__ = getattr(function, "__module__", kind.__module__)
        self.__qualname__ = getattr(function, "__qualname__", kind.__qualname__)

    def __getattr__(self, name: str) -> Any:
        """What else the task tells of itself."""
        if name in _PASSED_ON:
            return getattr(self.function, name)
        raise AttributeError(name)

    def __call__(self, url: str, *others: Any) -> Any:
        """Run it."""
        with self.copies.of(url) as path:
            return self.function(path, *others)

    def open_worker(self) -> Any:
        """The same with the state of a worker, where the task has one."""
        open_worker = getattr(self.function, "open_worker", None)
        if open_worker is not None:
            self.function = open_worker()
        return self


class LocalisedLater(Localised):
    """Likewise, of a coroutine function."""

    async def __call__(self, url: str, *others: Any) -> Any:
        """Run it; the copy is made and removed in a thread."""
        from asyncio import to_thread  # noqa: PLC0415  (loaded by those that run coroutines)

        copy = self.copies.of(url)
        path = await to_thread(copy.__enter__)
        try:
            return await self.function(path, *others)
        finally:
            await to_thread(copy.__exit__, None, None, None)


class Streamed:
    """A task that reads each file once, on streams: nothing is copied. A measuring task."""

    is_measuring = True

    def __init__(self, task: ReadsWhole) -> None:
        self.task = task

    def __getattr__(self, name: str) -> Any:
        """What else the task tells of itself."""
        if name in _PASSED_ON | {"algorithm"}:
            return getattr(self.task, name)
        raise AttributeError(name)

    def __call__(self, url: str) -> tuple[Any, int | None, int | None]:
        """Read the file at a URL.

        Raises:
            Exception: What the store raises where it can't be read.
        """
        with storage.reading(url) as (file, stamp):
            value = self.task.of_chunks(iter(partial(file.read, self.task.chunk_bytes), b""))
        return value, *stamp


def on_urls(function: Any, *, is_own: bool, gets_urls: bool) -> Any:
    """The task that is run where PATHs are URLs.

    Args:
        function: A task, a command, or somebody's own function.
        is_own: It is no task with a name.
        gets_urls: It is called with the URL itself.

    Raises:
        BadOption: It can't.
    """
    if gets_urls:
        if is_own:
            return function
        raise BadOption("--urls is for --call and commands; a task reads what is behind a URL")
    if getattr(function, "takes_urls", False):
        return function
    if getattr(function, "is_batching", False):
        raise BadOption("-X needs all of its files at once; with URLs use -x, or --urls")
    if getattr(function, "is_command", False):
        made = function.with_settings()
        made.copies = Copies()
        return made
    if isinstance(function, ReadsWhole):
        return Streamed(function)
    if hasattr(function, "prepare") or getattr(function, "outputs", None) is not None:
        name = type(function).__name__.lower()
        raise BadOption(f"the task {name} is for local files; PATHs can't be URLs with it")
    from inspect import iscoroutinefunction  # noqa: PLC0415  (only here)

    bare = function
    while isinstance(bare, partial):
        bare = bare.func
    is_coroutine = iscoroutinefunction(bare) or iscoroutinefunction(type(bare).__call__)
    return (LocalisedLater if is_coroutine else Localised)(function)
