"""A command as a task: one run for each file, or one for as many files as a call takes.

No shell: the arguments are templates (``fsworkers.tasks.templates``), the program is looked up
once. The value of a file is what the command left: ``{exit, stdout, stderr}``.
"""

from __future__ import annotations

import errno
import os
import shlex
from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

from fsworkers.errors import BadOption, BadSetting, BadTemplate, CommandFailed, TaskNotFound
from fsworkers.names import is_url, printable
from fsworkers.tasks.arguments import in_batches, room_for_files, system_limit
from fsworkers.tasks.outputs import Outputs, WithOutput, WithOutputLater, making
from fsworkers.tasks.task import Column
from fsworkers.tasks.templates import File, expand, fields_of, parse, relative_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TypeAlias

    from fsworkers.tasks.child import Ended, Stream
    from fsworkers.tasks.remote import Copies

    StrOrBytesPath: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]

REPORTED_LINES = 5
_MOST_OF_LINE = 200


class Settings(NamedTuple):
    """How a command is run.

    Attributes:
        stdin: Whether it reads the file on its standard input; else there is nothing.
        results: The directory for ``stdout``, ``stderr`` and ``exit`` of each file, in full.
        retry_on: Exit codes that are worth another attempt.
        spool: The directory for output too long for memory, where all of it is wanted.
        timeout_s: Longest time of one attempt.
        max_rss_bytes: Most memory of the command with what it starts.
        is_live: Pass its output on line by line while it runs.
        is_tagged: With the path and a tab before each.
        numbered_from: What the numbers of files and calls begin above.
    """

    stdin: bool = False
    results: str | None = None
    retry_on: frozenset[int] = frozenset()
    spool: str | None = None
    timeout_s: float | None = None
    max_rss_bytes: int | None = None
    is_live: bool = False
    is_tagged: bool = False
    numbered_from: int = 0


class Value(dict[str, Any]):
    """What a command left: ``exit``, ``stdout``, ``stderr``.

    ``exit`` is the code, or the signal's name. A stream that is no UTF-8 is under ``stdout_b64``
    instead; of one of more than 64 KiB the beginning is kept, and ``stdout_bytes`` tells how long
    it was.

    Attributes:
        spilled: Files that have all of stdout and stderr, where that was wanted.
        keeps_spilled: Whether these are the results, which stay.
    """

    spilled: tuple[str | None, str | None] = (None, None)
    keeps_spilled = False


class Command:
    """A task function that runs a command on a file.

    Args:
        argv: The program and its arguments, with templates, each a ``str``, ``bytes`` or path, as
            ``subprocess`` takes them; without any template, the path is put last, unless the
            command reads the file on its standard input.
        to: The template of the output's name, for ``{out}``.
        stdin: Whether the command reads the file on its standard input.
        results: A directory for the command's output in full: ``stdout``, ``stderr`` and ``exit``
            below the file's relative path.
        retry_on: Exit codes that are worth another attempt, if there are ``retries``.
        roots: The PATHs that ``{rel}`` is relative to; ``process_tree`` fills them in.

    Raises:
        BadTemplate: A template that means nothing.
        BadSetting: Settings that do not go together.
        TaskNotFound: There is no such program.
    """

    columns: ClassVar[Sequence[Column]] = (
        Column("exit", "integer", meaning="the exit code; a signal's name is no number"),
        Column("stdout", "text", meaning="what it wrote, up to 64 KiB"),
        Column("stderr", "text", meaning="likewise"),
    )
    is_command = True
    is_graceful = True
    copies: Copies | None = None
    """What makes local copies, where files are behind URLs."""
    wants_place = True
    keeps_time = True

    def __init__(
        self,
        argv: Sequence[StrOrBytesPath],
        *,
        to: str | None = None,
        stdin: bool = False,
        results: str | os.PathLike[str] | None = None,
        retry_on: Iterable[int] = (),
        roots: Sequence[str] = (),
    ) -> None:
        if isinstance(argv, (str, bytes, os.PathLike)) or not argv:
            raise BadSetting("argv", argv, "a list: the program and its arguments")
        try:
            self.argv = tuple(map(os.fsdecode, argv))
        except TypeError as error:
            raise BadSetting("argv", argv, "texts, bytes or paths alone") from error
        self.roots = tuple(os.fsencode(root) for root in roots)
        self.settings = Settings(
            stdin, None if results is None else os.fspath(results), frozenset(retry_on)
        )
        templates = [*map(parse, self.argv)]
        if not (fields_of(templates) or stdin):
            self.argv = (*self.argv, "{}")
            templates.append(("",))
        text = b"".join(one for one in templates[0] if isinstance(one, bytes))
        if fields_of(templates[:1]) and any(map(str.isspace, os.fsdecode(text))):
            raise BadTemplate(
                self.argv[0],
                "a program with its arguments in one word; write them apart, or sh -c '…' sh {}",
            )
        self.templates = tuple(templates)
        self.outputs = None if to is None else Outputs(to, self.roots)
        self._check()
        self.program = None if fields_of(templates[:1]) else find_program(self.argv[0])

    def _check(self) -> None:
        """Refuse templates that do not go together."""

    def check_output(self) -> None:
        """Refuse a command that has an output and does not write it, or the reverse.

        Raises:
            BadOption: It is one.
        """
        wants_output = "out" in fields_of(self.templates)
        if wants_output and self.outputs is None:
            raise BadOption("the command has {out}; add --to TEMPLATE, which names the output")
        if self.outputs is not None and not wants_output:
            raise BadOption("--to names an output, and the command has no {out} to write it to")

    def under(self, roots: Sequence[str], to: str | None = None) -> Self:
        """The same with other PATHs, and perhaps an output.

        Raises:
            FsworkersError: They do not go together.
        """
        made = self.with_settings()
        made.roots = tuple(map(os.fsencode, roots))
        if self.outputs is not None or to is not None:
            template = to if self.outputs is None or to is not None else self.outputs.template
            made.outputs = Outputs(str(template), made.roots)
        made.check_output()
        return made

    def with_settings(self, **changed: Any) -> Self:
        """The same, run in another way."""
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__)
        made.settings = self.settings._replace(**changed)
        return made

    @property
    def fields(self) -> set[str]:
        """What its templates name."""
        return fields_of(self.templates)

    @property
    def mark(self) -> str:
        """What the command is, as the fingerprint of a task: what is done, not how it is run."""
        to = "" if self.outputs is None else f" to {self.outputs.template!r}"
        reads = " < {}" if self.settings.stdin else ""
        return f"command {shlex.join(self.argv)}{reads}{to}"

    def arguments(self, file: File) -> list[bytes]:
        """The arguments for a file."""
        return [expand(template, file) for template in self.templates]

    def __call__(self, path: Any, number: int = 0, worker: int = 0) -> Value:
        """Run the command on the file at ``path``.

        Raises:
            CommandFailed: It did not end with exit code 0, or not in time, or left no output.
            OSError: It could not be started for want of descriptors, processes or memory.
        """
        self.check_output()
        source = os.fsencode(path)
        number += self.settings.numbered_from + 1
        file = File(source, relative_to(source, self.roots), number, worker)
        with ExitStack() as stack:
            if self.outputs is not None:
                output = making(self.outputs.name_for(source), source)
                file = file._replace(output=stack.enter_context(output))
            if self.copies is not None:
                local = stack.enter_context(self.copies.of(os.fsdecode(source)))
                file = file._replace(path=os.fsencode(local))
            return self._run(self.arguments(file), file, source)

    def _run(self, argv: list[bytes], file: File, name: bytes = b"") -> Value:
        from fsworkers.tasks.child import Spec, run  # noqa: PLC0415  (in workers alone)

        settings = self.settings
        folder = files = None
        if settings.results is not None:
            folder = os.path.join(os.fsencode(settings.results), file.relative)
            os.makedirs(os.fsdecode(folder), exist_ok=True)  # a refusal names it
            files = (os.path.join(folder, b"stdout"), os.path.join(folder, b"stderr"))
        program = self.program or os.fsencode(find_program(os.fsdecode(argv[0])))
        stdin = file.path if settings.stdin else None
        spec = Spec(
            os.fsencode(program), argv, stdin, files, settings.spool, settings.timeout_s,
            settings.max_rss_bytes, _tag(settings, name or file.path),
        )  # fmt: skip
        try:
            ended = run(spec)
        except OSError as error:
            if error.errno in _PASSING:
                raise
            if stdin is not None and error.filename == stdin:
                raise CommandFailed(f"it can't be read: {error.strerror}") from error
            about = "its arguments are" if error.errno == errno.E2BIG else printable(program)
            raise CommandFailed(f"it can't be started: {about}: {error.strerror}") from error
        return self._judge(argv, ended, folder)

    def _judge(self, argv: list[bytes], ended: Ended, folder: bytes | None) -> Value:
        code = exit_shown(ended.code)
        value = value_of(code, ended.stdout, ended.stderr)
        if folder is not None:
            value.keeps_spilled = True
            with open(os.path.join(folder, b"exit"), "w", encoding="ascii") as file:
                file.write(f"{code}\n")
        if ended.code == 0 and not (ended.is_overdue or ended.is_too_large):
            return value
        lines = ended.stderr.end.decode(errors="replace").split("\n")
        said = [line.rstrip() for line in lines if line.strip()]
        happened = f"exit {code}" if ended.code >= 0 else f"killed by {code}"
        if ended.is_too_large:
            most = self.settings.max_rss_bytes
            happened = f"it had more memory than {most:,} bytes, and was ended"
        last = f": {said[-1][:_MOST_OF_LINE]}" if said else ""
        report = "\n".join([
            f"$ {shlex.join(map(os.fsdecode, argv))}", happened, *said[-REPORTED_LINES:],
        ])  # fmt: skip
        reason = happened + last
        if ended.is_overdue:
            reason = f"TimeoutError: took longer than {self.settings.timeout_s or 0.0:g} s"
        raise CommandFailed(
            reason, value, report, ended.code in self.settings.retry_on, ended.is_overdue
        )


def _tag(settings: Settings, path: bytes) -> bytes | None:
    """What is put before each line that is passed on at once; ``None`` where none is."""
    if not settings.is_live:
        return None
    tag = f"{printable(os.fsdecode(path))}\t" if settings.is_tagged else ""
    return tag.encode(errors="backslashreplace")


_PASSING = frozenset({errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM, errno.ETXTBSY})


class BatchDone(NamedTuple):
    """What became of the files of a call.

    Attributes:
        results: A value each.
        sizes: Bytes of each.
        mtimes_ns: Their modification times.
    """

    results: list[Value]
    sizes: list[int | None]
    mtimes_ns: list[int | None]


class BatchCommand(Command):
    """A task function that runs a command on many files at once, for ``process_tree``.

    The value of the first file of a call is what the command left, that of the others tells which
    call it was: ``{exit, call}``. Where the call has failed, these have none.

    Args:
        argv: As of ``Command``; the argument that has templates is repeated for each file.
        size: Files a call at most; ``None`` for as many as the system takes.
        bisect: Run the halves of what failed again, until those that it fails on are alone.
        retry_on: As of ``Command``.
        roots: Likewise.

    Raises:
        FsworkersError: As ``Command``.
    """

    columns: ClassVar = (
        *Command.columns,
        Column("call", "integer", meaning="which call it was, of all files of one but the first"),
    )
    is_batching = True

    def __init__(
        self,
        argv: Sequence[StrOrBytesPath],
        *,
        size: int | None = None,
        bisect: bool = False,
        retry_on: Iterable[int] = (),
        roots: Sequence[str] = (),
    ) -> None:
        super().__init__(argv, retry_on=retry_on, roots=roots)
        if size is not None and size < 1:
            raise BadSetting("size", size, "a whole number of at least 1")
        self.most = size
        self.bisect = bisect

    def _check(self) -> None:
        if fields_of(self.templates[:1]):
            raise BadTemplate(self.argv[0], "the program of -X is the same for every call")
        if sum(bool(fields_of([template])) for template in self.templates) > 1:
            raise BadTemplate(shlex.join(self.argv), "-X takes one argument with templates")
        if fields_of(self.templates) & {"out", "#", "%"}:
            raise BadTemplate(shlex.join(self.argv), "-X has no {out}, {#} and {%}")

    @property
    def mark(self) -> str:
        """See ``Command``."""
        return f"batch {super().mark}"

    def batches(self, found: Iterable[list[str]]) -> Iterator[list[tuple[str, ...]]]:
        """Put paths into calls."""
        fixed = [expand(one, _NOBODY) for one in self.templates if not fields_of([one])]
        room = room_for_files(fixed, os.environb, system_limit())
        # ``{}`` may get a ``./``; what else an argument has beside the path is text.
        extra = 2 + sum(len(one) for one in self._repeated if isinstance(one, bytes))
        times = sum(isinstance(one, str) for one in self._repeated)
        return in_batches(found, room // times, self.most, extra)

    @cached_property
    def _repeated(self) -> tuple[bytes | str, ...]:
        return next(one for one in self.templates if fields_of([one]))

    def arguments_of(self, paths: Sequence[str]) -> list[bytes]:
        """The arguments of a call."""
        sources = [*map(os.fsencode, paths)]
        argv: list[bytes] = []
        for template in self.templates:
            if template == ("",) and not any(one.startswith(b"-") for one in sources):
                argv += sources  # as nearly always, and without a look at each
            elif template == self._repeated:
                argv += [expand(template, File(p, relative_to(p, self.roots))) for p in sources]
            else:
                argv.append(expand(template, _NOBODY))
        return argv

    def __call__(self, paths: Any, number: int = 0, _worker: int = 0) -> Any:
        """Run the command on all of the files.

        Raises:
            CommandFailed: As ``Command``.
            OSError: Likewise.
            TypeError: It is a single path.
        """
        if isinstance(paths, (str, bytes, os.PathLike)):
            raise TypeError("a BatchCommand takes a list of paths; process_tree makes the lists")
        sizes, mtimes = zip(*map(_measured, paths), strict=True)
        number += self.settings.numbered_from + 1
        return BatchDone(self._results(list(paths), number), list(sizes), list(mtimes))

    def _results(self, paths: list[str], number: int) -> list[Value]:
        try:
            first = self._run(self.arguments_of(paths), File(os.fsencode(paths[0]), b""))
        except CommandFailed as error:
            cause = error.__cause__
            is_too_long = isinstance(cause, OSError) and cause.errno == errno.E2BIG
            if not is_too_long or len(paths) == 1:
                raise
            half = len(paths) // 2
            return self._results(paths[:half], number) + self._results(paths[half:], number)
        return [first, *[Value(exit=0, call=number)] * (len(paths) - 1)]


_NOBODY = File(b"", b"")


def _measured(path: str) -> tuple[int | None, int | None]:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        if is_url(path):
            from fsworkers.storage import measure  # noqa: PLC0415  (only with URLs)

            return measure(path)
        return None, None  # the command will say it
    return status.st_size, status.st_mtime_ns


def with_output(function: Callable[..., Any], to: str | None, roots: Sequence[str]) -> Any:
    """A task function that knows the PATHs of its run, and the output that is wanted of it.

    Raises:
        BadTemplate: ``to`` means nothing.
        BadSetting: The two do not go together.
    """
    if isinstance(function, Command):
        return function.under(roots, to)
    if to is None:
        return function
    from inspect import iscoroutinefunction  # noqa: PLC0415  (only here)

    outputs = Outputs(to, [os.fsencode(root) for root in roots])
    is_coroutine = iscoroutinefunction(function) or iscoroutinefunction(type(function).__call__)
    return (WithOutputLater if is_coroutine else WithOutput)(function, outputs)


def find_program(name: str) -> str:
    """The file that a program's name stands for.

    Raises:
        TaskNotFound: There is none; the message has names that are near.
    """
    import shutil  # noqa: PLC0415  (in the caller alone; and below)

    found = shutil.which(name)
    if found is not None:
        return os.path.abspath(found)
    if os.path.isdir(name):
        raise TaskNotFound(name, "it is a directory, and no program")
    if os.path.exists(name) and "/" in name:
        raise TaskNotFound(name, f"it may not be executed; chmod +x {shlex.quote(name)}")
    from difflib import get_close_matches  # noqa: PLC0415

    there: set[str] = set()
    for folder in os.get_exec_path():
        if os.path.isdir(folder):
            there.update(os.listdir(folder))
    near = get_close_matches(name, there, 3)
    guess = f"; near it there is {', '.join(near)}" if near else ""
    raise TaskNotFound(name, f"there is no such program{guess}")


def exit_shown(code: int) -> int | str:
    """An exit code, or the name of the signal."""
    if code >= 0:
        return code
    import signal  # noqa: PLC0415  (few are killed)

    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def value_of(code: int | str, stdout: Stream, stderr: Stream) -> Value:
    """What a command left, as the value of its file."""
    value = Value(exit=code)
    for name, stream in (("stdout", stdout), ("stderr", stderr)):
        is_cut = stream.size > len(stream.kept)
        try:
            value[name] = stream.kept.decode()
        except UnicodeDecodeError as error:
            if is_cut and error.start > len(stream.kept) - 4:  # in the midst of a character
                value[name] = stream.kept[: error.start].decode()
            else:
                import base64  # noqa: PLC0415  (most output is text)

                value[f"{name}_b64"] = base64.b64encode(stream.kept).decode()
        if is_cut:
            value[f"{name}_bytes"] = stream.size
    if stdout.spilled or stderr.spilled:
        value.spilled = (stdout.spilled, stderr.spilled)
    return value
