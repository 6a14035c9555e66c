"""The task ``copy`` where PATHs or the place to copy to are URLs: up, down, or from one to another.

What a store keeps of a file is its content and when it was put there, so that is what tells whether
it is there already; a file that is fetched gets the time, and tag, by which its store knows it.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from fsworkers import graceful, storage, upload
from fsworkers.errors import BadSetting, Skip
from fsworkers.names import UNFINISHED, is_url, printable
from fsworkers.tasks.outputs import Outputs, making
from fsworkers.tasks.remote import Copies
from fsworkers.tasks.rewriting import is_same, mirror

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fsworkers.tasks.task import Column

_COPIES_ITSELF = {"s3", "s3a", "gs", "gcs"}
"""Stores that copy an object themselves, whole or not at all, and say so when they have."""

_MISREAD = re.compile(r"::|[?]versionId=|\As3a?:[^\n]*\n")


class _Urls(Outputs):
    """Names of outputs that are URLs, or made of some."""

    may_be_urls = True

    @property
    def folder(self) -> str | None:
        """A directory; nothing that begins like a URL is one."""
        return None if is_url(self.template) else super().folder


class RemoteCopy:
    """Copy each file to the same place below a URL, or from one.

    Args:
        to: Where to.
        roots: The PATHs.
        update: What is left as it is.
        verifies: Compare what has been written.
        syncs: Wait until it is on the disk, where it is here.

    Raises:
        BadOption: The store to copy to is not to be reached.
        BadSetting: The copy would be among what is copied, or replace it.
    """

    columns: Sequence[Column] = ()
    descriptors: ClassVar = 2

    def __init__(
        self, to: str, roots: Sequence[bytes], update: str, *, verifies: bool, syncs: bool
    ) -> None:
        self.update = update
        self.verifies = verifies
        self.syncs = syncs
        self.copies = Copies()
        stems = [_stem(os.fsdecode(root)) for root in roots]
        self.outputs = mirror(_stem(to), [os.fsencode(stem) for stem in stems], kind=_Urls)
        _refuse_overlap(to, stems)
        if is_url(to):
            upload.check_place(f"{_stem(to)}/x", f"--option to={printable(to)}")

    def __call__(self, path: str) -> dict[str, Any]:
        """Copy one file.

        Raises:
            OSError: It can't be read, or the copy not be written.
            ValueError: It can't have such a name there.
            Skip: It is there.
        """
        source = os.fsencode(path)
        output = os.fsdecode(self.outputs.name_for(source))
        if os.path.basename(source).startswith(UNFINISHED):
            raise Skip("an unfinished output")
        if is_url(output):
            _refuse_name(output)
            return self._put(path, output)
        return self._fetch(path, output)

    def _fetch(self, url: str, output: str) -> dict[str, Any]:
        stamp = storage.stamp_of(_looked_at(url))
        if self.update != "always" and None not in stamp:
            self._skip_if_here(url, output, stamp)
        with making(os.fsencode(output), os.fsencode(url)) as name:
            temporary = os.fsdecode(name)
            storage.fetch(url, temporary)
            _check_size(temporary, stamp.size)
            if self.verifies:
                _compare(temporary, url)
            _set_time(temporary, stamp)
            if self.syncs:
                _sync(temporary)
            size = os.stat(temporary).st_size
        return {"bytes": size, "how": "download"}

    def _skip_if_here(self, url: str, output: str, stamp: storage.Stamp) -> None:
        try:
            here = os.lstat(output)
        except (FileNotFoundError, NotADirectoryError):
            return
        if not stat.S_ISREG(here.st_mode) or here.st_size != stamp.size:
            return
        if self.update == "time" and here.st_mtime_ns == stamp.mtime_ns:
            raise Skip("there already: the same size and time")
        if self.update == "content" and _is_same(output, url):
            _set_time(output, stamp)
            raise Skip("there already: the same content")

    def _put(self, source: str, url: str) -> dict[str, Any]:
        size, modified_s = _measured(source)
        if self.update != "always" and size is not None:
            self._skip_if_there(source, url, size, modified_s)
        if is_url(source):
            self._put_from_store(source, url, size)
        else:
            upload.put(source, url)
            if _measured(source) != (size, modified_s):
                raise OSError(f"{source!r} was changed while it was read")
        if self.verifies:
            _compare(source, url)
        return {"bytes": size, "how": "copy" if is_url(source) else "upload"}

    def _skip_if_there(self, source: str, url: str, size: int, modified_s: float | None) -> None:
        there = storage.look(url)
        if there is None or there.get("size") != size:
            return
        there_s = storage.time_of(there)
        if self.update == "content":
            if _is_same(source, url):
                raise Skip("there already: the same content")
        elif None not in {there_s, modified_s} and there_s >= modified_s:  # type: ignore[operator]
            raise Skip("there already: the same size, and not older")

    def _put_from_store(self, source: str, url: str, size: int | None) -> None:
        with storage.explained(source):
            files, path = storage.filesystem(source)
            others, target = storage.filesystem(url)
            if files is others and storage.is_any_of(files, _COPIES_ITSELF):
                files.cp_file(path, target)
                return
        with self.copies.of(source) as copy:
            _check_size(copy, size)
            upload.put(copy, url)


def _stem(name: str) -> str:
    """What the names below a directory or URL begin with, but for the slash."""
    if not is_url(name):
        return name
    bare = name.rstrip("/")
    return f"{bare}//" if bare.endswith(":") else bare


def _refuse_overlap(to: str, roots: Sequence[str]) -> None:
    """Look whether a copy would be among what is copied, or the other way round.

    Raises:
        BadSetting: It would.
    """
    there_at, there = _place(to)
    for root in roots:
        at, here = _place(root)
        if at == there_at and (here.startswith(there) or there.startswith(here)):
            accepted = f"a place that is not within {printable(root)!r}, nor that within it"
            raise BadSetting("to", to, accepted)


def _place(name: str) -> tuple[Any, str]:
    """A store, and where in it something is, with a slash at the end."""
    files, path = storage.reached(name) if is_url(name) else (None, name)
    if files is None or storage.is_any_of(files, {"file", "local"}):
        files, path = None, os.path.realpath(path)
    return files, path.rstrip("/") + "/"


def _refuse_name(url: str) -> None:
    """Look whether an object can be called so.

    Raises:
        ValueError: It can't.
    """
    try:
        url.encode()
    except UnicodeEncodeError as error:
        raise ValueError("its name is not UTF-8, as it must be behind a URL") from error
    if _MISREAD.search(url):
        reason = "::, ?versionId= or, in S3, a newline, which fsspec does not take for a name"
        raise ValueError(f"its name has {reason}")


def _looked_at(url: str) -> Any:
    """What fsspec tells of a file that is there.

    Raises:
        OSError: It is not, or that can't be found out.
    """
    if (info := storage.look(url)) is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), url)
    return info


def _measured(source: str) -> tuple[int | None, float | None]:
    """Size and time of a file, here or behind a URL."""
    if is_url(source):
        info = _looked_at(source)
        return info.get("size"), storage.time_of(info)
    status = os.stat(source)
    return status.st_size, status.st_mtime


def _check_size(path: str, size: int | None) -> None:
    """Look whether all of a file has come.

    Raises:
        OSError: More or less.
    """
    if size is not None and (come := os.stat(path).st_size) != size:
        raise OSError(f"{come} bytes came of {size}")


def _set_time(path: str, stamp: storage.Stamp) -> None:
    if stamp.mtime_ns is not None:
        os.utime(path, ns=(stamp.mtime_ns, stamp.mtime_ns))


def _sync(path: str) -> None:
    number = graceful.os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        graceful.os.close(number)


def _compare(one: str, other: str) -> None:
    """Look whether two files are the same.

    Raises:
        OSError: They are not.
    """
    if not _is_same(one, other):
        raise OSError(f"the copy is not what was read: {other!r}")


def _is_same(one: str, other: str) -> bool:
    with _opened(one) as first, _opened(other) as second:
        return is_same(first, second)


@contextmanager
def _opened(name: str) -> Iterator[Any]:
    if is_url(name):
        with storage.reading(name) as (file, _):
            yield file
    else:
        with graceful.open(name, "rb") as file:
            yield file
