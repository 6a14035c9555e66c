"""What a job makes a file of: named by a template, written beside it, renamed when it is whole."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from fsworkers.errors import BadOption, BadSetting, BadTemplate, CommandFailed, Skip
from fsworkers.guard import Worker, guard
from fsworkers.names import UNFINISHED, is_url, printable, unfinished
from fsworkers.tasks.templates import (
    File,
    expand,
    fields_of,
    parse,
    relative_to,
    tells_files_apart,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


class Outputs:
    """Names the output of each file.

    Args:
        template: As in ``thumbs/{rel.}.webp``.
        roots: The PATHs that files are found under.

    Raises:
        BadTemplate: It means nothing, or the same for every run.
        BadSetting: It names the input itself, or is a URL.
    """

    may_be_urls = False
    are_known = True
    """Whether the journal tells which of them are up to date; else the task looks by itself."""

    def __init__(self, template: str, roots: Sequence[bytes]) -> None:
        if is_url(template) and not self.may_be_urls:
            accepted = "a local name: only -o, and to= of copy, may be a URL"
            raise BadSetting("--to", template, accepted)
        self.template = template
        self.asked = f"--to {template}: "
        """What was asked for, as it was written, before messages; empty where nothing was."""
        self.roots = tuple(roots)
        self._parsed = parse(template)
        if fields := fields_of([self._parsed]) & {"out", "#", "%"}:
            shown = ", ".join(f"{{{one}}}" for one in sorted(fields))
            raise BadTemplate(template, f"an output's name can't depend on {shown}")
        if os.path.basename(template) in {"", ".", ".."} or os.path.isdir(template):
            raise BadSetting("--to", template, "the name of a file, as DIR/{rel} or DIR/{/}")
        self.is_injective = tells_files_apart(self._parsed, len(self.roots) or 1)
        for root in self.roots or (b"",):
            path = os.path.join(root, b"name.ext")
            if os.path.abspath(self.name_for(path)) == os.path.abspath(path):
                raise BadSetting("--to", template, "another name: this is the file itself")

    @property
    def folder(self) -> str | None:
        """The directory that all outputs are below, if the template names one."""
        start = self._parsed[0] if self._parsed else b""
        folder = os.path.dirname(start) if isinstance(start, bytes) else b""
        return os.fsdecode(folder) or None

    def name_for(self, path: bytes) -> bytes:
        """The output of a file; empty where it has none."""
        name = expand(self._parsed, File(path, relative_to(path, self.roots)))
        return b"./" + name if name.startswith(b"-") else name

    def is_itself(self, path: str) -> bool:
        """Whether a file's output would be the file, as far as names tell."""
        source = os.fsencode(path)
        name = self.name_for(source)
        is_namesake = os.path.basename(name) == os.path.basename(source)
        return is_namesake and os.path.abspath(name) == os.path.abspath(source)

    def stamp(self, path: str) -> int | None:
        """What tells a file's output from anything put in its place; ``None`` if it is not there.

        The time of change, which nobody can set, as where a command keeps the times of its input;
        and the size, for file systems whose times are coarse.
        """
        try:
            status = os.lstat(self.name_for(os.fsencode(path)))
        except (OSError, ValueError):
            return None
        return status.st_ctime_ns + status.st_size

    def is_current(self, path: str, mtime_ns: int, made: int | None) -> bool:
        """Whether a file's output is there, is what was made then, and no older than the file."""
        if made is None or self.stamp(path) != made:
            return False
        try:
            return os.stat(self.name_for(os.fsencode(path))).st_mtime_ns >= mtime_ns
        except OSError:
            return False

    def __reduce__(self) -> tuple[type[Outputs], tuple[str, tuple[bytes, ...]]]:
        """Travel by what it was made of."""
        return type(self), (self.template, self.roots)


class Claims:
    """Which file has which output: the first that asks. Some 200 bytes a file.

    Args:
        outputs: Names them.
    """

    def __init__(self, outputs: Outputs) -> None:
        self._outputs = outputs
        self._takers: dict[bytes, str] = {}

    def clash(self, path: str) -> str | None:
        """Why a file can't have its output; ``None`` if it can, and has it from now on."""
        taken = self.taken(path)
        if taken is None:
            return None
        output, taker = taken
        return f"its output {printable(output)!r} is that of {printable(taker)!r} too"

    def taken(self, path: str) -> tuple[bytes, str] | None:
        """The output that a file would have, and the file that has it."""
        name = self._outputs.name_for(os.fsencode(path))
        if not name:
            return None
        output = os.path.normpath(name)
        taker = self._takers.setdefault(output, path)
        return None if taker == path else (output, taker)


@contextmanager
def making(output: bytes, path: bytes) -> Iterator[bytes]:
    """Give the name to write to; what is there at the end becomes the output, else it is removed.

    Raises:
        CommandFailed: Nothing was written there, or the output is the file itself.
        Skip: The file is what such a block writes to.
        OSError: There is no room for it.
    """
    if os.path.basename(path).startswith(UNFINISHED):
        raise Skip("an unfinished output")
    if os.path.realpath(output) == os.path.realpath(path):
        raise CommandFailed("its output would be the file itself")
    directory, name = os.path.split(output)
    if directory:
        os.makedirs(os.fsdecode(directory), exist_ok=True)  # a refusal names it
    temporary = os.path.join(directory, unfinished(name))
    _remove(temporary)  # of a run that was killed
    with _watched(temporary):
        try:
            yield temporary
            if not os.path.lexists(temporary):
                raise CommandFailed("it ended well and left no output; it was to write {out}")
            os.replace(temporary, output)
        except BaseException:
            _remove(temporary)
            raise


@contextmanager
def _watched(temporary: bytes) -> Iterator[None]:
    """Have a file removed if this worker dies."""
    watch = None
    if Worker.lifeline is not None:  # others have a chance to do it themselves
        with suppress(OSError):  # no shell, or no room: the next attempt removes it
            watch = guard()
            temporary = os.path.join(os.getcwdb(), temporary)
            watch.add_name(temporary)
    try:
        yield
    finally:
        if watch is not None:
            watch.remove_name(temporary)


def _remove(path: bytes) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except (IsADirectoryError, PermissionError):
        import shutil  # noqa: PLC0415  (few commands leave a directory)

        shutil.rmtree(path)


def placed(task: Any, to: str | None, roots: Sequence[str]) -> Any:
    """The task that is run: one that makes outputs is told where they go.

    Args:
        task: One that has a name, or another object with a face.
        to: The template that was asked for, if one was.
        roots: The PATHs.

    Raises:
        BadOption: It makes none, and a template was given.
        BadSetting: They can't go there.
    """
    place = getattr(task, "place_outputs", None)
    if place is not None:
        return place(to, [os.fsencode(root) for root in roots])
    if to is not None:
        raise BadOption(
            "--to is for a command (-x CMD, with {out}), your own --call, or a task that makes "
            "an output"
        )
    return task


class WithOutput:
    """A task function that takes a path and where to write its output.

    Args:
        function: The function, plain or coroutine.
        outputs: Names the outputs.
    """

    def __init__(self, function: Callable[[str, str], Any], outputs: Outputs) -> None:
        self.function = function
        self.outputs = outputs

    def __call__(self, path: Any) -> Any:
        """Run it."""
        source = os.fsencode(path)
        with making(self.outputs.name_for(source), source) as temporary:
            return self.function(path, os.fsdecode(temporary))


class WithOutputLater(WithOutput):
    """Likewise, of a coroutine function."""

    async def __call__(self, path: Any) -> Any:
        """Run it."""
        source = os.fsencode(path)
        with making(self.outputs.name_for(source), source) as temporary:
            return await self.function(path, os.fsdecode(temporary))
