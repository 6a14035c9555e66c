"""What ``fsworkers process`` was asked for, in a form that can be recorded and taken up again."""

from __future__ import annotations

import json
import os
import sys
import time
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from fsworkers.cli.command_options import command_of, refuse_without_command
from fsworkers.cli.stdout import stdout_to_stderr
from fsworkers.cli.values import parse_instant_of
from fsworkers.engines.halting import Halting
from fsworkers.engines.made import outputs_of, outside
from fsworkers.engines.process_tree import engine_opener, options_named_by
from fsworkers.errors import BadOption, BadSetting
from fsworkers.names import is_url, printable
from fsworkers.pool.room import Room
from fsworkers.pool.settings import PoolSettings
from fsworkers.scan.options import ScanOptions
from fsworkers.sinks.open import output_path
from fsworkers.sinks.output import PARTIAL
from fsworkers.tasks.callables import load_callable
from fsworkers.tasks.fingerprint import fingerprint
from fsworkers.tasks.registry import DEFAULT_TASK, make_task, prepared
from fsworkers.tasks.task import Preparation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import ExitStack

    from fsworkers.engines.engine import Engine
    from fsworkers.engines.observers import Observer
    from fsworkers.model import Entry
    from fsworkers.tasks.outputs import Outputs

STDIN = STDOUT = "-"


class Request(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The options of ``fsworkers process`` that say what is done, as they were written.

    How it is shown (progress, quiet, verbose) is not among them: whoever resumes it decides anew.
    Options that are added here need a default, so that records from before can still be read.
    """

    paths: list[str] = []
    task: str | None = None
    call: str | None = None
    option: list[str] = []
    exec: list[str] = []
    exec_batch: list[str] = []
    batch_size: int | None = None
    bisect: bool = False
    to: str | None = None
    always: bool = False
    urls: bool = False
    stdin: bool = False
    engine: str = "local"
    workers: int | None = None
    slots: int | None = None
    max_open_files: int | None = None
    glob: list[str] = []
    exclude: list[str] = []
    extension: list[str] = []
    regex: list[str] = []
    gitignore: bool = False
    ignore_file: list[str] = []
    skip_hidden: bool = False
    follow: bool = False
    max_depth: int | None = None
    min_depth: int = 0
    one_file_system: bool = False
    size: list[str] = []
    changed_within: str | None = None
    changed_before: str | None = None
    kind: list[str] = []
    owner: str | None = None
    limit: int | None = None
    sample: str | None = None
    seed: int | None = None
    files_from: str | None = None
    nul: bool = False
    retries: int = 0
    retry_pause: float | None = None
    retry_on: str | None = None
    nice: int = 0
    max_rss: int | None = None
    memfree: int | None = None
    load: float | None = None
    max_jobs_per_worker: int | None = None
    timeout: float | None = None
    halt: str | None = None
    no_install: bool = False
    output: str | None = None
    format: str | None = None
    tag: bool = False
    line_buffer: bool = False
    results: str | None = None
    summary: str | None = None
    metrics: str | None = None
    keep_order: bool = False
    changed: bool = False

    def to_json(self) -> str:
        """As ASCII text, which keeps names that are no UTF-8."""
        return json.dumps(msgspec.to_builtins(self))

    @property
    def writes_to(self) -> list[Path]:
        """The files that are written, which are no input."""
        partial = None if self.output is None else self.output + PARTIAL
        written = (self.output, partial, self.summary, self.metrics)
        return [
            output_path(path) for path in written if path not in {None, STDOUT, STDOUT + PARTIAL}
        ]

    def task_options(self) -> dict[str, str]:
        """The task's options by name; a list of checksums says by its name which it holds.

        Raises:
            BadSetting: One is not KEY=VALUE, or there twice.
        """
        parsed: dict[str, str] = {}
        if self.call is None and not self.is_command and self.output is not None:
            parsed = options_named_by(self.task or DEFAULT_TASK, self.output)
        given: dict[str, str] = {}
        for pair in self.option:
            key, separator, value = pair.partition("=")
            if not (key and separator):
                raise BadSetting("--option", pair, "KEY=VALUE")
            if given.setdefault(key, value) != value:
                raise BadSetting("--option", pair, "each KEY once; several values are A,B")
        return parsed | given

    @stdout_to_stderr()
    def function(self) -> Callable[[str], Any]:
        """The task function.

        Raises:
            TaskNotFound: There is none like that.
            BadSetting: Its options are not to be had, or two tasks were named.
        """
        named = [
            ("--task", self.task), ("--call", self.call),
            ("-x", self.exec), ("-X", self.exec_batch),
        ]  # fmt: skip
        given = [option for option, value in named if value]
        if len(given) > 1:
            raise BadOption(f"either {' or '.join(given)}: there is one task a run, not both")
        if self.is_command:
            return self._on_urls(command_of(self))
        refuse_without_command(self)
        made: Callable[[str], Any]
        if self.call is None:
            made = self._on_urls(make_task(self.task or DEFAULT_TASK, self.task_options()))
            if self.to is None and not hasattr(made, "place_outputs"):
                return made
            from fsworkers.tasks.outputs import placed  # noqa: PLC0415  (only with outputs)

            made = placed(made, self.to, self.paths)
            return made
        function = load_callable(self.call, self.task_options(), 1 if self.to is None else 2)
        function = self._on_urls(function)
        if self.to is None:
            return function
        from fsworkers.tasks.command import with_output  # noqa: PLC0415  (only with one)

        made = with_output(function, self.to, self.paths)
        return made

    def _on_urls(self, function: Callable[[str], Any]) -> Callable[[str], Any]:
        if not any(map(is_url, self.paths)):
            if self.urls:
                raise BadOption("--urls is about PATHs that are URLs; leave it out")
            return function
        if self.files_from is not None:
            raise BadOption("--files-from lists local files; it does not go with URLs as PATHs")
        from fsworkers.tasks.remote import on_urls  # noqa: PLC0415  (only with URLs)

        is_own = self.call is not None or self.is_command
        wrapped: Callable[[str], Any] = on_urls(function, is_own=is_own, gets_urls=self.urls)
        return wrapped

    def outputs(self, function: Any) -> Outputs | None:
        """What names the outputs of the task function; ``None`` where none are made."""
        return outputs_of(function)

    @property
    def makes_once(self) -> bool:
        """Whether what is up to date is left out by the journal; a task may do so by itself."""
        return self.to is not None and not self.always

    def places(self, function: Any) -> Outputs | None:
        """What names that which no two files may have in common: outputs, or else results."""
        if self.to is not None or self.results is None:
            return self.outputs(function)
        from fsworkers.tasks.outputs import Outputs  # noqa: PLC0415  (only with results)

        folder = self.results.replace("{", "{{").replace("}", "}}")
        return Outputs(f"{folder}/{{rel}}", [os.fsencode(path) for path in self.paths])

    @stdout_to_stderr()
    def prepared(self, function: Callable[[str], Any], own: Iterable[Path]) -> Callable[[str], Any]:
        """The task function that is run, once the task has looked at what there is to do."""
        workers = self.settings().worker_count
        scan = partial(self._found_before, own, self.outputs(function))
        return prepared(function, Preparation(self.paths, scan, workers))

    def _found_before(
        self, own: Iterable[Path], outputs: Outputs | None
    ) -> Iterable[list[str] | Entry]:
        """What the scan will find, for a task that looks at it before the run does.

        Raises:
            BadOption: The list of files can be read only once, or not at all.
        """
        listed = self.files_from
        stream = None if listed is None else Path(listed)
        if listed == STDIN or (stream and (stream.is_fifo() or stream.is_char_device())):
            raise BadOption(
                f"--files-from {printable(str(listed))}: the task reads the list before the run "
                "does, and this can be read only once; write it to a file and give its name"
            )
        return self.found(self.filters(), own, outputs)

    @property
    def is_command(self) -> bool:
        """Whether a command is run."""
        return bool(self.exec or self.exec_batch)

    @property
    def shows_beside(self) -> bool:
        """Whether a command's own output is shown, while outcomes go to a file."""
        is_asked = self.format == "raw" or self.tag or self.line_buffer
        return self.is_command and self.output not in {None, STDOUT} and is_asked

    @property
    def output_format(self) -> str | None:
        """The format of the output, if its name does not say it.

        Raises:
            BadOption: As ``shown_format``.
        """
        shown = self.shown_format
        return None if self.shows_beside else shown

    @property
    def shown_format(self) -> str | None:
        """The format of what goes to stdout, or was asked for.

        Raises:
            BadOption: It goes with nothing else.
        """
        has_file = self.output not in {None, STDOUT}
        if self.format is not None and has_file and not self.shows_beside:
            raise BadOption("-o FILE says its format by its suffix; --format is for stdout")
        is_raw = self.format in {None, "raw"} and self.is_command
        is_raw = is_raw and (self.output is None or self.shows_beside)
        for option, value in (("--tag", self.tag), ("--line-buffer", self.line_buffer)):
            if value and not is_raw:
                raise BadOption(
                    f"{option} is about a command's own output; leave out -o - and --format"
                )
        if self.line_buffer and (self.keep_order or self.results is not None):
            other = "-k" if self.keep_order else "--results"
            raise BadOption(f"--line-buffer shows each line at once; leave out that or {other}")
        if is_raw:
            return "raw"
        if self.format is None and self.output is None and os.isatty(1):
            return "table"  # a person would be flooded by lines
        return self.format

    def fingerprint(self, function: Callable[[str], Any]) -> str:
        """What the task is, its code included."""
        is_built_in = self.call is None and not self.is_command
        name = self.task or DEFAULT_TASK if is_built_in else None
        return fingerprint(function, name=name, options=self.task_options())

    def check(self, outputs: Outputs | None) -> None:
        """Look at what is needed only later, so that it is refused before anything is begun.

        Raises:
            BadSetting: A value that can't be.
        """
        self.settings()
        self.halting()
        if self.load is not None and not self.load > 0:
            raise BadSetting("--load", self.load, "a number of processes above 0")
        for folder in (self.results, None if outputs is None else outputs.folder):
            if folder is not None:
                _check_folder(folder)
        if self.engine != "local":
            from fsworkers.engines.cluster import check_engine  # noqa: PLC0415  (rare)

            check_engine("--engine", self.engine)
            if self.line_buffer:
                raise BadOption("--line-buffer is of commands on this machine; leave out --engine")
        if self.always and self.to is None:
            raise BadOption(
                "--always is about --to TEMPLATE, whose outputs are made once otherwise"
            )
        shown = self.shown_format
        if shown not in {None, "table", "jsonl", "csv", "raw"} and not {"{", "}"} & set(shown):
            from fsworkers.sinks.template import shown_fields  # noqa: PLC0415  (only for this)

            accepted = f"table, jsonl, csv, raw, or a template of {shown_fields()}, {{value.KEY}}"
            raise BadSetting("--format", shown, accepted)

    def settings(self) -> PoolSettings:
        """The pool's settings.

        Raises:
            BadSetting: A value that can't be.
        """
        return PoolSettings(
            workers=self.workers,
            slots=self.slots,
            max_open_files=self.max_open_files,
            timeout=self.timeout,
            retries=self.retries,
            retry_pause=self.retry_pause,
            nice=self.nice,
            max_rss_bytes=self.max_rss,
            max_jobs_per_worker=self.max_jobs_per_worker,
            room=Room(self.memfree, self.load),
            install=not self.no_install,
            first_workers=1,  # it has been started before this was read
            prints_to="stderr",  # stdout belongs to results
        )

    def engine_opener(
        self, function: Callable[[str], Any], stack: ExitStack
    ) -> Callable[[], Engine]:
        """What opens the engine; see ``process_tree.engine_opener``."""
        return engine_opener(self.engine, self.settings(), function, self.paths, stack)

    def observers(self) -> list[Observer]:
        """Who is told of the run while it goes on."""
        if self.metrics is None:
            return []
        from fsworkers.engines.observers import PrometheusTextfile  # noqa: PLC0415  (only with it)

        return [PrometheusTextfile(self.metrics)]

    def halting(self) -> Halting | None:
        """When there have been too many failures to go on.

        Raises:
            BadSetting: The rule can't be understood.
        """
        return None if self.halt is None else Halting.parse(self.halt)

    def filters(self, started: float | None = None) -> ScanOptions:
        """Which files are wanted.

        Args:
            started: Wall-clock time from which ages count back; by default now.

        Raises:
            BadOption: One can't be understood.
        """
        try:
            return ScanOptions(
                globs=tuple(self.glob),
                excludes=tuple(self.exclude),
                extensions=tuple(self.extension),
                regexes=tuple(self.regex),
                gitignore=self.gitignore,
                ignore_files=tuple(self.ignore_file),
                skip_hidden=self.skip_hidden,
                follow=self.follow,
                max_depth=self.max_depth,
                min_depth=self.min_depth,
                one_file_system=self.one_file_system,
                sizes=tuple(self.size),
                changed_after=parse_instant_of("--changed-within", self.changed_within, started),
                changed_before=parse_instant_of("--changed-before", self.changed_before, started),
                kinds=tuple(kind for text in self.kind for kind in text.split(",")),
                owner=self.owner,
                limit=self.limit,
                sample=self.sample,
                seed=self.seed or 0,
            )
        except ValueError as error:
            raise BadOption(str(error)) from error

    def with_fixed_times(self) -> Request:
        """The same, with ages as instants: whoever resumes it takes the same files.

        Raises:
            BadOption: One can't be understood.
        """
        now = time.time()
        within = parse_instant_of("--changed-within", self.changed_within, now)
        before = parse_instant_of("--changed-before", self.changed_before, now)
        return msgspec.structs.replace(
            self,
            changed_within=None if within is None else f"@{within:.6f}",
            changed_before=None if before is None else f"@{before:.6f}",
        )

    def found(
        self, filters: ScanOptions, own: Iterable[Path], outputs: Outputs | None = None
    ) -> Iterable[list[str] | Entry]:
        """What the scan will find; our own outputs are no input.

        Raises:
            BadOption: The list of files can't be read.
        """
        if self.files_from is None:
            folders = [self.results, None if outputs is None else outputs.folder]
            return outside(self.paths, filters, own, folders)
        if self.files_from == STDIN and sys.stdin is None:
            raise BadOption("--files-from -: standard input is closed")
        from fsworkers.scan.file_list import read_file_list, scan_list  # noqa: PLC0415  (rare)

        try:
            stream: Any = (  # a BufferedReader, which the type of stdin's does not say
                sys.stdin.buffer if self.files_from == STDIN else open(self.files_from, "rb")  # noqa: SIM115
            )
        except OSError as error:
            name = printable(self.files_from)
            raise BadOption(f"--files-from {name}: {error.strerror}") from error
        if not self.nul and b"\0" in stream.peek(1):
            name = printable(self.files_from)
            raise BadOption(f"--files-from {name}: names in it end with NUL; say so with -0")
        return scan_list(chain(self.paths, read_file_list(stream, self.nul)), filters, own=own)


def _check_folder(path: str) -> None:
    """Look whether a directory is there that can be written to, or can be made.

    Raises:
        BadOption: It can't.
    """
    if not path:
        raise BadOption("--results names a directory; '' is none")
    if is_url(path):
        raise BadOption(f"{printable(path)} is a URL; only PATHs and -o may be some")
    there = os.path.abspath(path)
    while not os.path.lexists(there):
        there = os.path.dirname(there)
    if not (os.path.isdir(there) and os.access(there, os.W_OK | os.X_OK)):
        reason = f"{printable(there)} is no directory that can be written to"
        raise BadOption(f"nothing can be made below {printable(path)}: {reason}; name another")


def request_from_json(text: str) -> Request:
    """The request that ``to_json`` was called on.

    Raises:
        msgspec.ValidationError: The text is of something else.
    """
    return msgspec.convert(json.loads(text), Request)


def current_directory() -> str:
    """Where relative paths begin; empty if that has been deleted."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return ""
