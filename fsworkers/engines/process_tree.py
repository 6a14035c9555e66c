"""``process_tree``: a whole run in one call."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fsworkers.engines.halting import Halting
from fsworkers.engines.local import LocalEngine
from fsworkers.engines.made import with_one_maker
from fsworkers.engines.run import Run, new_run_id
from fsworkers.pool.settings import PoolSettings
from fsworkers.scan.options import ScanOptions
from fsworkers.scan.roots import AnyPath, check_paths, tidy
from fsworkers.scan.tree import scan
from fsworkers.tasks.checksum import Checksum
from fsworkers.tasks.fingerprint import fingerprint
from fsworkers.tasks.registry import DEFAULT_TASK, make_task, prepared
from fsworkers.tasks.task import Preparation, columns_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from fsworkers.engines.engine import Engine
    from fsworkers.journal.recorder import Recorder
    from fsworkers.model import Outcome, RunSummary
    from fsworkers.sinks.sink import Sink


def process_tree(
    path: AnyPath | Iterable[AnyPath],
    task: str | Callable[[str], Any] = DEFAULT_TASK,
    *,
    options: Mapping[str, str] | None = None,
    filters: ScanOptions | None = None,
    output: AnyPath | None = None,
    on_outcome: Callable[[Outcome], object] | None = None,
    ordered: bool = False,
    workers: int | None = None,
    slots: int | None = None,
    max_open_files: int | None = None,
    timeout: float | None = None,
    retries: int = 0,
    halt: str | None = None,
    engine: Literal["local", "inline"] = "local",
    journal: AnyPath | None = None,
    to: str | None = None,
) -> RunSummary:
    """Run a task on every file under ``path``, and return what it came to.

    Args:
        path: A directory or file, or several.
        task: The name of a built-in task, or a function or coroutine function that takes a path
            (``str``; ``os.fsencode`` gives its exact bytes) and returns the outcome's value.
        options: Options of a built-in task.
        filters: Which files: globs, sizes, links…; everything by default.
        output: Write outcomes to this file; its suffix says how (``.jsonl``, ``.sha256``…), and
            which checksums the task ``checksum`` computes. It is there when the run has come to its
            end; until then, and where it was given up, there is ``FILE.partial``.
        on_outcome: Called in this thread with each ``Outcome`` as it arrives.
        ordered: Outcomes in the order in which the files are found.
        workers: As in ``Pool``, like the arguments that follow.
        slots: Jobs in progress at one time in each worker.
        max_open_files: Descriptors that each worker may lend.
        timeout: Longest time of one attempt in seconds.
        retries: Further attempts after a failure that may pass.
        halt: When to give up: ``soon,fail=3`` starts nothing more after three failures,
            ``now,fail=10%`` also ends what runs. What was found and not run is ``cancelled``.
        engine: ``local`` runs worker processes, ``inline`` everything in this thread.
        journal: Record the run in this file, which ``fsworkers show`` and ``runs`` read; further
            runs are added to it.
        to: A template of the name of each file's output, as in ``thumbs/{rel.}.webp``. The task
            gets ``(path, output)`` and writes to ``output``, a temporary name that becomes the
            output's when it has returned; a ``Command`` has it for ``{out}``.

    Raises:
        PathNotFound: There is no such path.
        TaskNotFound: There is no such task.
        BadSetting: A value that can't be.
        BadOption: An option that the task has not, or can't read.
        SinkError: ``output`` can't be written, or not in that format.
        JournalError: ``journal`` can't be written, is something else, or in use by another run.
        Exception: Whatever ``on_outcome`` raises; running jobs are finished first.
    """
    paths = [path] if isinstance(path, (str, bytes, os.PathLike)) else list(path)
    given = dict(options or {})
    if isinstance(task, str) and output is not None:
        given = options_named_by(task, output) | given
    function = make_task(task, given) if isinstance(task, str) else task
    outputs = None
    if to is not None or getattr(function, "is_command", False):
        from fsworkers.tasks.command import outputs_of, with_output  # noqa: PLC0415  (only for these)

        function = with_output(function, to, [*map(tidy, paths)])
        outputs = outputs_of(function)
    halting = None if halt is None else Halting.parse(halt)
    check_paths(paths)
    settings = PoolSettings(
        workers=workers,
        slots=slots,
        max_open_files=max_open_files,
        timeout=timeout,
        retries=retries,
    )
    with ExitStack() as stack:
        sink = None
        if output is not None:
            from fsworkers.sinks.open import (  # noqa: PLC0415  (only with one)
                Wanted,
                check_sink,
                open_sink,
            )
            from fsworkers.sinks.output import PARTIAL  # noqa: PLC0415

            target = Path(os.fsdecode(output))
            check_sink(target, wanted=Wanted(algorithm_of(function), columns_of(function)))
        own: list[AnyPath] = [] if output is None else [target, f"{target}{PARTIAL}"]
        run_id = new_run_id()
        recorder = None
        if journal is not None:
            name = task if isinstance(task, str) else None
            mark = fingerprint(function, name=name, options=given)
            recorder = stack.enter_context(_recorder(journal, run_id, paths, mark))
            own += recorder.files
        wanted = partial(scan, paths, filters or ScanOptions(), own=own)
        function = prepared(
            function, Preparation([*map(tidy, paths)], wanted, settings.worker_count)
        )
        runner = open_engine(engine, settings)
        stack.callback(runner.close)
        if output is not None:  # last: who is refused leaves no empty file
            wanted_ = Wanted(algorithm_of(function), columns_of(function))
            sink = open_sink(target, wanted=wanted_)
            stack.callback(sink.close)
        found = with_one_maker(wanted(), outputs)
        run = Run(
            runner,
            function,
            found,
            ordered=ordered,
            halting=halting,
            id=run_id,
            recorder=recorder,
            sink=sink,
            wants_outcomes=on_outcome is not None,
        )
        for portion in run.portions():
            if on_outcome is not None and portion is not None:
                for outcome in portion.outcomes:
                    on_outcome(outcome)
        _finish(run, recorder, sink)
        return run.summary()


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
        sink.finish(is_whole=state == "finished")


def open_engine(name: Literal["local", "inline"], settings: PoolSettings) -> Engine:
    """Make the engine of that name."""
    if name == "local":
        return LocalEngine(settings)
    from fsworkers.engines.inline import InlineEngine  # noqa: PLC0415  (takes asyncio along)

    return InlineEngine(settings)


def options_named_by(task: str, output: AnyPath) -> dict[str, str]:
    """What an output's name says of the task: ``sums.md5`` wants the algorithm ``md5``."""
    from fsworkers.sinks.open import named_algorithm  # noqa: PLC0415  (only with an output)

    algorithm = named_algorithm(Path(os.fsdecode(output)))
    return {"algorithm": algorithm} if task == "checksum" and algorithm else {}


def algorithm_of(function: Callable[[str], Any]) -> str | None:
    """The digest that a task's values are, ``None`` if they are none."""
    return function.algorithm if isinstance(function, Checksum) else None
