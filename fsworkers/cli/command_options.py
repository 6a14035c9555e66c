"""What ``-x`` and ``-X`` and the options beside them ask for: read, checked, and shown."""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING

from fsworkers.errors import BadOption, BadSetting

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fsworkers.cli.request import Request
    from fsworkers.tasks.command import Command

_OPTION = re.compile(r"(-[0Lknqv]*)([xX])(.*)|--(exec(?:-batch)?)(?:=(.*))?", re.DOTALL)
"""It may stand behind flags in one word, and its first word right behind it, as in ``-qxgzip``."""


def cut_command(arguments: list[str]) -> list[str]:
    """Put the words of a command, which are all up to ``;`` or the end, so that click reads them.

    Each becomes an option of its own, ``--exec=WORD``.

    Raises:
        BadOption: There are no words, or two commands.
    """
    if arguments[:1] != ["process"]:
        return arguments
    end = arguments.index("--") if "--" in arguments else len(arguments)
    found = ((at, _OPTION.fullmatch(one)) for at, one in enumerate(arguments[:end]))
    at, option = next((one for one in found if one[1]), (end, None))
    if option is None:
        return arguments
    flags, short, word, long, value = option.groups()
    name = long or ("exec" if short == "x" else "exec-batch")
    words, rest = arguments[at + 1 :], []
    if word or value:
        words.insert(0, word or value)
    if ";" in words:
        stop = words.index(";")
        words, rest = words[:stop], words[stop + 1 :]
    elif "--to" not in arguments[:at] and any("{out}" in word for word in words):
        # It would be lacking otherwise, so it is ours although the command has not ended.
        words, rest = _without_option(words, "--to")
    if not words:
        written = f"--{long}" if long else f"-{short}"
        raise BadOption(f"{written} has no command: write it behind, as in {written} gzip -k {{}}")
    if any(map(_OPTION.fullmatch, rest)):
        raise BadOption("one command a run: put several into a script, or sh -c '…' sh {}")
    before = [*arguments[:at], *([flags] if flags and flags != "-" else [])]
    return [*before, *(f"--{name}={word}" for word in words), *rest]


def _without_option(words: list[str], option: str) -> tuple[list[str], list[str]]:
    """Words without an option, and that option with its value."""
    for at, word in enumerate(words):
        count = 2 * (word == option) or word.startswith(f"{option}=")
        if count:
            return [*words[:at], *words[at + count :]], words[at : at + count]
    return words, []


def command_of(request: Request) -> Command:
    """The command that was asked for.

    Raises:
        FsworkersError: It can't be had, or what is asked for beside it.
    """
    from fsworkers.tasks.command import BatchCommand, Command  # noqa: PLC0415  (only with one)

    if request.exec and request.exec_batch:
        raise BadOption("either -x, which runs a command a file, or -X, with many files; not both")
    if request.option:
        raise BadOption("--option is for --task and --call; a command has its arguments")
    retry_on = exit_codes(request.retry_on)
    if not request.exec_batch:
        if request.batch_size is not None or request.bisect:
            option = "--bisect" if request.bisect else "--batch-size"
            raise BadOption(f"{option} is about the batches of -X; -x runs a command a file")
        command = Command(
            request.exec,
            to=request.to,
            stdin=request.stdin,
            results=request.results,
            retry_on=retry_on,
            roots=request.paths,
        ).with_settings(max_rss_bytes=request.max_rss)
        command.check_output()
        return command
    for option, value in (
        ("--to", request.to), ("--stdin", request.stdin), ("--results", request.results),
    ):  # fmt: skip
        if value:
            raise BadOption(f"{option} is about one file at a time; it goes with -x, not with -X")
    if request.batch_size is not None and request.batch_size < 1:
        raise BadSetting("--batch-size", request.batch_size, "a whole number of at least 1")
    batch = BatchCommand(
        request.exec_batch,
        size=request.batch_size,
        bisect=request.bisect,
        retry_on=retry_on,
        roots=request.paths,
    )
    return batch.with_settings(max_rss_bytes=request.max_rss)


def refuse_without_command(request: Request) -> None:
    """Refuse options that say something of a command only.

    Raises:
        BadOption: There is one, and no command.
    """
    for option, value in (
        ("--batch-size", request.batch_size), ("--bisect", request.bisect), ("--tag", request.tag),
        ("--stdin", request.stdin), ("--results", request.results), ("--retry-on", request.retry_on),
        ("--line-buffer", request.line_buffer),
        ("--format raw", request.format == "raw"),
    ):  # fmt: skip
        if value:
            raise BadOption(f"{option} is about a command; add -x CMD, or leave it out")


def exit_codes(text: str | None) -> list[int]:
    """Exit codes, as in ``75,111``.

    Raises:
        BadSetting: They are none.
    """
    if text is None:
        return []
    try:
        codes = [int(one) for one in text.split(",")]
    except ValueError:
        codes = [0]
    if not all(0 < code < 256 for code in codes):
        raise BadSetting("--retry-on", text, "exit codes from 1 to 255, as in 75,111")
    return codes


def command_lines(function: Command, lists: Iterable[list[str]]) -> Iterable[str]:
    """What would be run, quoted for a shell."""
    from fsworkers.tasks.command import BatchCommand  # noqa: PLC0415
    from fsworkers.tasks.templates import File, relative_to  # noqa: PLC0415

    if isinstance(function, BatchCommand):
        for batches in function.batches(lists):
            for batch in batches:
                yield shlex.join(map(os.fsdecode, function.arguments_of(batch)))
        return
    number = 0
    for some in lists:
        for path in map(os.fsencode, some):
            number += 1
            output = b"" if function.outputs is None else function.outputs.name_for(path)
            file = File(path, relative_to(path, function.roots), number, 0, output)
            reads = f" < {shlex.quote(os.fsdecode(path))}" if function.settings.stdin else ""
            yield shlex.join(map(os.fsdecode, function.arguments(file))) + reads
