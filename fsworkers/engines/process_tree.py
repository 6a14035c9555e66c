"""``process_tree`` and ``open_tree``: a whole run in one call, or outcome by outcome."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from msgspec.structs import replace

from fsworkers.engines.halting import Halting
from fsworkers.engines.local import LocalEngine
from fsworkers.engines.made import outputs_of, outside, refuse_clash, with_one_maker
from fsworkers.engines.run import Run, new_run_id
from fsworkers.errors import BadOption, BadSetting
from fsworkers.names import is_url
from fsworkers.pool.settings import PoolSettings
from fsworkers.scan.options import ScanOptions
from fsworkers.scan.roots import AnyPath, check_paths, tidy
from fsworkers.tasks.checksum import Checksum
from fsworkers.tasks.fingerprint import fingerprint
from fsworkers.tasks.registry import DEFAULT_TASK, make_task, prepared
from fsworkers.tasks.task import Preparation, columns_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from types import TracebackType
    from typing import Self, Unpack

    from distributed import Client

    from fsworkers.engines.engine import Engine
    from fsworkers.engines.observers import Observer
    from fsworkers.journal.recorder import Recorder
    from fsworkers.journal.selection import Unchanged
    from fsworkers.model import Entry, Outcome, RunSummary
    from fsworkers.pool.retry import RetryOn
    from fsworkers.pool.room import Room
    from fsworkers.sinks.sink import Sink
    from fsworkers.tasks.outputs import Outputs


class PoolOptions(TypedDict, total=False):
    """How a run's pool works: see ``Pool``, and ``fsworkers process --help``."""

    workers: int | None
    slots: int | None
    max_open_files: int | None
    timeout: float | None
    retries: int
    retry_on: RetryOn | None
    retry_pause: float | None
    max_deaths: int
    max_jobs_per_worker: int | None
    max_rss_bytes: int | None
    install: bool
    ready_timeout: float | None
    grace: float
    initializer: Callable[..., object] | None
    initargs: tuple[Any, ...]
    nice: int
    room: Room


class TreeOptions(PoolOptions, total=False):
    """What a run over a tree may be asked: see ``process_tree``."""

    options: Mapping[str, object] | None
    filters: ScanOptions | None
    output: AnyPath | None
    ordered: bool
    halt: str | None
    engine: str | Client
    journal: AnyPath | None
    changed: bool
    to: str | None
    always: bool
    urls: bool
    observers: Sequence[Observer]


def process_tree(
    path: AnyPath | Iterable[AnyPath],
    task: str | Callable[[str], Any] = DEFAULT_TASK,
    *,
    on_outcome: Callable[[Outcome], object] | None = None,
    **asked: Unpack[TreeOptions],
) -> RunSummary:
    """Run a task on every file under ``path``, and return what it came to.

    Args:
        path: A directory or file, or several.
        task: The name of a task, or a function or coroutine function that takes a path (``str``;
            ``os.fsencode`` gives its exact bytes) and returns the outcome's value; a ``Task``, a
            ``Command`` or a ``BatchCommand``.
        on_outcome: Called in this thread with each ``Outcome`` as it arrives.
        **asked: How ``Pool`` works (``workers``, ``timeout``, ``retries`` …), and:

            - ``options``: Options of the task, if it is named; as on the command line, or as the
              task takes them: ``10_000``, ``True``, ``["md5", "sha256"]``; ``None`` is the default.
            - ``filters``: Which files: globs, sizes, links…; everything by default.
            - ``output``: Write outcomes to this file; its suffix says how (``.jsonl``,
              ``.sha256``…), and which checksums the task ``checksum`` computes. It is there when
              the run has come to its end; until then, and where it was given up, there is
              ``FILE.partial``.
            - ``ordered``: Outcomes in the order in which the files are found.
            - ``halt``: When to give up: ``soon,fail=3`` starts nothing more after three failures,
              ``now,fail=10%`` also ends what runs. What was found and not run is ``cancelled``.
            - ``engine``: ``local`` runs worker processes, ``inline`` everything in this thread,
              ``dask://HOST:PORT``, ``dask:FILE.json`` (a scheduler file) or a ``Client`` of Dask a
              pool on each machine of a cluster; ``dask`` is a small one here, for trying.
            - ``journal``: Record the run in this file, which ``fsworkers show`` and ``runs`` read;
              further runs are added to it.
            - ``changed``: Do only what is new or changed since earlier runs of this task in the
              journal; what is unchanged is ``skipped``, with its value.
            - ``to``: A template of the name of each file's output, as in ``thumbs/{rel.}.webp``.
              The task gets ``(path, output)`` and writes to ``output``, a temporary name that
              becomes the output's when it has returned; a ``Command`` has it for ``{out}``. With a
              journal, outputs that are newer than their files are not made again, unless
              ``always``.
            - ``urls``: Where paths are URLs (docs/remote.md), give the function the URL, and no
              local copy.
            - ``observers``: Told of what happens (``fsworkers.Observer``).

    Raises:
        PathNotFound: There is no such path.
        TaskNotFound: There is no such task.
        BadSetting: A value that can't be.
        BadOption: An option that the task has not, or can't read; ``to``, if it makes no output.
        SinkError: ``output`` can't be written, or not in that format.
        JournalError: ``journal`` can't be written, is something else, or in use by another run.
        Exception: Whatever ``on_outcome`` raises; running jobs are finished first.
    """
    with TreeRun(path, task, asked, wants_outcomes=on_outcome is not None) as run:
        for outcome in run:
            if on_outcome is not None:
                on_outcome(outcome)
    return run.summary


def open_tree(
    path: AnyPath | Iterable[AnyPath],
    task: str | Callable[[str], Any] = DEFAULT_TASK,
    **asked: Unpack[TreeOptions],
) -> TreeRun:
    """As ``process_tree``, but outcome by outcome: a context manager to iterate over.

    ``with open_tree("photos") as run: for outcome in run: …``; then ``run.summary``. Nothing is
    begun before the first outcome is asked for, and a slow consumer slows the run down.

    Raises:
        FsworkersError: As ``process_tree``, when it is entered.
    """
    return TreeRun(path, task, asked, wants_outcomes=True)


class TreeRun:
    """A run over a tree, to be entered and iterated over once.

    Args:
        path: A directory or file, or several.
        task: What is run.
        asked: How.
        wants_outcomes: Whether every outcome is yielded, and not only those not ``done``.
    """

    def __init__(
        self,
        path: AnyPath | Iterable[AnyPath],
        task: str | Callable[[str], Any],
        asked: TreeOptions,
        *,
        wants_outcomes: bool,
    ) -> None:
        for name in asked:
            if name not in TreeOptions.__annotations__:
                raise TypeError(f"process_tree() got an unexpected keyword argument {name!r}")
        self._paths = [path] if isinstance(path, (str, bytes, os.PathLike)) else list(path)
        self._task = task
        self._asked = asked
        self._wants_outcomes = wants_outcomes
        self._stack = ExitStack()
        self._run: Run | None = None
        self._missing_count = 0
        self._gone: Callable[[], Iterable[list[str]]] | None = None
        self._recorder: Recorder | None = None
        self._sink: Sink | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._run = self._opened(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, traceback)

    def __iter__(self) -> Iterator[Outcome]:
        run = self._entered()
        for portion in run.portions():
            if portion is not None:
                yield from portion.outcomes
        if not run.is_halted:
            self._missing_count = sum(map(len, run.missing(self._gone)))
        _finish(run, self._recorder, self._sink)

    @property
    def summary(self) -> RunSummary:
        """What it has come to so far."""
        return replace(self._entered().summary(), missing=self._missing_count)

    def _entered(self) -> Run:
        if self._run is None:
            raise RuntimeError("a run is entered first: with open_tree(…) as run: …")
        return self._run

    def _opened(self, stack: ExitStack) -> Run:
        """Open what may be refused, and then what leaves something behind."""
        asked, paths, task = self._asked, self._paths, self._task
        roots = [*map(tidy, paths)]
        output, journal = asked.get("output"), asked.get("journal")
        given = _as_written(asked.get("options") or {})
        if isinstance(task, str) and output is not None:
            given = options_named_by(task, output) | given
        function = self._function(roots, given)
        outputs = outputs_of(function)
        halt = asked.get("halt")
        halting = None if halt is None else Halting.parse(halt)
        if asked.get("changed") and journal is None:
            raise BadSetting("changed", True, "a journal beside it, whose runs are compared with")
        check_paths(paths)
        settings = PoolSettings(
            **{name: value for name, value in asked.items() if name in PoolOptions.__annotations__}  # type: ignore[arg-type]
        )
        own: list[AnyPath] = []
        if output is not None:
            from fsworkers.sinks.open import (  # noqa: PLC0415  (only with one)
                Wanted,
                check_sink,
                open_sink,
                output_path,
            )
            from fsworkers.sinks.output import PARTIAL  # noqa: PLC0415

            target = output_path(os.fsdecode(output))
            asked_of_sink = Wanted(algorithm_of(function), columns_of(function))
            check_sink(target, wanted=asked_of_sink)
            own += [target, f"{target}{PARTIAL}"]
        if journal is not None:
            from fsworkers.journal.schema import files_of  # noqa: PLC0415  (SQLite only with one)

            own += files_of(Path(os.path.abspath(os.fsdecode(journal))))
        filters = asked.get("filters") or ScanOptions()
        folders = [] if outputs is None else [outputs.folder]

        def wanted() -> Iterable[list[str] | Entry]:
            return outside(paths, filters, own, folders)

        if outputs is not None:
            refuse_clash(wanted(), outputs)
        mark = fingerprint(function, name=task if isinstance(task, str) else None, options=given)
        function = prepared(function, Preparation(roots, wanted, settings.worker_count))
        found = with_one_maker(wanted(), outputs)
        opened = engine_opener(asked.get("engine", "local"), settings, function, roots, stack)
        run_id, recorder = new_run_id(), None
        to_do: Iterable[list[str] | Entry | Unchanged] = found
        if journal is not None:
            recorder = stack.enter_context(_recorder(journal, run_id, paths, mark))
            to_do = self._compared(
                stack, recorder, found, outputs, getattr(function, "still_holds", None)
            )
        sink = None
        runner = opened()
        stack.callback(runner.close)
        if output is not None:  # last: who is refused leaves no empty file
            sink = open_sink(target, wanted=asked_of_sink)
            stack.callback(sink.close)
        self._recorder, self._sink = recorder, sink
        return Run(
            runner,
            function,
            to_do,
            ordered=asked.get("ordered", False),
            halting=halting,
            id=run_id,
            recorder=recorder,
            sink=sink,
            wants_outcomes=self._wants_outcomes,
            observers=asked.get("observers", ()),
        )

    def _function(self, roots: list[str], options: dict[str, str]) -> Callable[[str], Any]:
        """The task function, for what the PATHs are and where its outputs go."""
        task = self._task
        is_named = isinstance(task, str)
        function = make_task(task, options) if isinstance(task, str) else task
        if any(map(is_url, roots)):
            from fsworkers.tasks.remote import on_urls  # noqa: PLC0415  (only with URLs)

            gets_urls = self._asked.get("urls", False)
            function = on_urls(function, is_own=not is_named, gets_urls=gets_urls)
        if getattr(function, "is_command", False) and "max_rss_bytes" in self._asked:
            # Of what it starts; the pool looks at workers between jobs alone.
            function = function.with_settings(max_rss_bytes=self._asked["max_rss_bytes"])  # type: ignore[attr-defined]
        placed: Callable[[str], Any] = _placed(
            function, self._asked.get("to"), roots, is_named=is_named
        )
        return placed

    def _compared(
        self,
        stack: ExitStack,
        recorder: Recorder,
        found: Iterable[list[str] | Entry],
        outputs: Outputs | None,
        still_holds: Callable[[Any], bool] | None,
    ) -> Iterable[list[str] | Entry | Unchanged]:
        """What is found, without what earlier runs in the journal have done, if that is wanted."""
        is_current = None
        if outputs is not None and outputs.are_known and not self._asked.get("always"):
            is_current = outputs.is_current
        if is_current is None and not self._asked.get("changed"):
            return found
        from fsworkers.journal.earlier import gone, open_earlier  # noqa: PLC0415  (only here)
        from fsworkers.journal.selection import new_or_changed  # noqa: PLC0415

        run = recorder.run
        earlier = open_earlier(stack, recorder.path, run)
        if self._asked.get("changed"):
            self._gone = partial(gone, earlier, run)
        in_order = self._asked.get("ordered", False)
        return new_or_changed(
            found,
            earlier,
            run.cwd,
            in_order=in_order,
            is_current=is_current,
            still_holds=still_holds,
        )


def _as_written(options: Mapping[str, object]) -> dict[str, str]:
    """Options as they would be written: there is one way to read them, and one fingerprint."""
    if not options:
        return {}
    from fsworkers.tasks.option_values import written  # noqa: PLC0415  (only with options)

    return {key: written(value) for key, value in options.items() if value is not None}


def _placed(
    function: Callable[[str], Any], to: str | None, roots: list[str], *, is_named: bool
) -> Any:
    """The function, once it knows where the outputs go that it makes, if any."""
    if hasattr(function, "place_outputs") or (is_named and to is not None):
        from fsworkers.tasks.outputs import placed  # noqa: PLC0415  (only for these; and below)

        return placed(function, to, roots)
    if to is not None or getattr(function, "is_command", False):
        from fsworkers.tasks.command import with_output  # noqa: PLC0415

        return with_output(function, to, roots)
    return function


def _recorder(journal: AnyPath, run_id: str, paths: list[AnyPath], mark: str) -> Recorder:
    from fsworkers.journal.record import RunRecord  # noqa: PLC0415  (SQLite only with a journal)
    from fsworkers.journal.recorder import Recorder  # noqa: PLC0415

    record = RunRecord(
        id=run_id,
        cwd=os.getcwd(),
        argv=tuple(sys.argv),
        roots=tuple(map(tidy, paths)),
        options=None,
        fingerprint=mark,
    )
    return Recorder.begin(Path(os.path.abspath(os.fsdecode(journal))), record)


def _finish(run: Run, recorder: Recorder | None, sink: Sink | None) -> None:
    state = run.state()
    if recorder is not None:
        recorder.end(state)
    if sink is not None:
        if state == "finished":
            run.write_missing(sink)
        sink.finish(is_whole=state == "finished")


def open_engine(engine: str | Client, settings: PoolSettings, roots: Iterable[str] = ()) -> Engine:
    """Make the engine of that name, or one over a client of Dask.

    Args:
        engine: ``local``, ``inline``, ``dask``, ``dask://HOST:PORT``, ``dask:FILE.json``; a client.
        settings: Of the pool, or of each node's.
        roots: Paths that all nodes of a cluster must see.

    Raises:
        FsworkersError: It is not to be had.
    """
    if engine == "local":
        return LocalEngine(settings)
    if engine == "inline":
        from fsworkers.engines.inline import InlineEngine  # noqa: PLC0415  (takes asyncio along)

        return InlineEngine(settings)
    from fsworkers.engines.cluster import (  # noqa: PLC0415  (only there)
        check_client,
        check_engine,
        require_dask,
    )

    if isinstance(engine, str):
        check_engine("engine", engine)
    require_dask()
    if not isinstance(engine, str):
        check_client(engine)
    from fsworkers.engines.dask import DaskEngine  # noqa: PLC0415  (likewise)

    return DaskEngine(engine, settings, roots)


def engine_opener(
    engine: str | Client,
    settings: PoolSettings,
    function: Callable[[str], Any],
    roots: Iterable[str],
    stack: ExitStack,
) -> Callable[[], Engine]:
    """Refuse an engine that is not to be had or can't run the function, and give what opens it.

    A pool is opened only then: what takes descriptors is there before its workers are counted.

    Raises:
        FsworkersError: As ``open_engine``.
        BadOption: The function is a command that files are numbered for.
    """
    if engine == "local":
        return partial(LocalEngine, settings)
    if engine != "inline" and "#" in getattr(function, "fields", ()):
        raise BadOption("{#} counts on one machine only; with --engine name outputs by {rel}")
    opened = open_engine(engine, settings, roots)
    stack.callback(opened.close)
    return lambda: opened


def options_named_by(task: str, output: AnyPath) -> dict[str, str]:
    """What an output's name says of the task: ``sums.md5`` wants the algorithm ``md5``."""
    from fsworkers.sinks.open import named_algorithm  # noqa: PLC0415  (only with an output)

    algorithm = named_algorithm(Path(os.fsdecode(output)))
    return {"algorithm": algorithm} if task == "checksum" and algorithm else {}


def algorithm_of(function: Callable[[str], Any]) -> str | None:
    """The digest that a task's values are, ``None`` if they are none."""
    task = getattr(function, "task", function)  # what reads streams has one
    return task.algorithm if isinstance(task, Checksum) else None
