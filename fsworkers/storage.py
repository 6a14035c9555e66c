"""Files behind URLs, by way of fsspec: what one is like, its bytes, and an output put there.

Which protocols there are, how a store is reached and with what credentials is fsspec's own matter:
its configuration files, the environment, and the packages of the protocols. Nothing is imported
before a URL is met.
"""

from __future__ import annotations

import errno
import os
import re
from contextlib import contextmanager
from datetime import datetime
from pathlib import PosixPath
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

from fsworkers.errors import BadOption, MissingExtra
from fsworkers.graceful.budget.budget import BUDGET
from fsworkers.names import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Self

_USER = re.compile(r"^([^:]+://[^/?#]*):[^/?#@]*@")
_SIGNED = re.compile(
    r"[?&]((x-(amz|goog)-(signature|credential|security-token))|sig|signature|(access_?)?token"
    r"|(api_?)?key|password)=",
    re.IGNORECASE,
)
_TIMES = ("mtime", "LastModified", "last_modified", "modified", "Last-Modified", "created")
_TAGS = ("ETag", "etag", "generation", "sha")
_NS = 10**9


class Stamp(NamedTuple):
    """What a file is like.

    Attributes:
        size: Its bytes; ``None`` where the store does not tell.
        mtime_ns: When it was modified. Of a store that has tags of contents (ETag), to the second:
            what is below that, and all of it where there is no time, is made of the tag, so that
            another content is another number.
    """

    size: int | None
    mtime_ns: int | None


class RemotePath(PosixPath):
    """The URL of an output, where a path is expected: ``os.fspath`` gives it as it was written."""

    url: str

    def __new__(cls, url: str) -> Self:
        """Keep the URL, in which slashes in a row are not one."""
        self = super().__new__(cls, url)
        self.url = url
        return self

    def __str__(self) -> str:
        """The URL."""
        return self.url


def filesystem(url: str) -> tuple[Any, str]:
    """The file system of fsspec for a URL, and what the file is called there.

    Raises:
        BadOption: There is a password in it, no such protocol, or its package is not installed.
        MissingExtra: fsspec is not installed.
    """
    _refuse_secrets(url)
    try:
        import fsspec  # noqa: PLC0415  (only with a URL)
    except ImportError as error:
        raise MissingExtra("fsspec, which URLs need,", "remote") from error
    # How many requests it makes at once of its own accord: each takes a descriptor.
    fsspec.config.conf.setdefault("gather_batch_size", max(1, BUDGET.statistics().capacity // 4))
    try:
        found: tuple[Any, str] = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError, TypeError) as error:
        raise BadOption(f"{printable(url)}: {_in_a_line(error)}") from error
    return found


def _refuse_secrets(url: str) -> None:
    """Paths are recorded, written and shown: no URL may hold what is secret.

    Raises:
        BadOption: This one does.
    """
    if found := _USER.match(url):
        name = printable(f"{found[1]}:***@{url[found.end() :]}")
        place = "FSSPEC_" + url.partition(":")[0].upper()
        raise BadOption(
            f"{name}: a password does not belong in a URL, which is recorded and shown; leave it "
            f"out and set {place}_PASSWORD, or what the protocol has (docs/remote.md)"
        )
    if found := _SIGNED.search(url):
        name = printable(url[: found.end()] + "***")
        raise BadOption(
            f"{name}: a URL is recorded and shown, so it can't hold what gives access; let fsspec "
            "have the credentials by its own means (docs/remote.md)"
        )


def check(url: str) -> bool:
    """Look whether there is something at a URL.

    Raises:
        BadOption: That can't be found out: the store is not to be reached, or refuses.
        MissingExtra: fsspec is not installed.
    """
    files, path = filesystem(url)
    try:
        files.info(path)
    except Exception as error:
        cause = cause_of(error)
        if isinstance(cause, FileNotFoundError):
            return False
        raise BadOption(f"{printable(url)}: {_in_a_line(cause)}") from error
    return True


def check_output(url: str) -> None:
    """Look whether a store has a place for an output: something above it, if only the bucket.

    Raises:
        BadOption: It has none.
        MissingExtra: fsspec is not installed.
    """
    files, path = filesystem(url)
    above = path
    while above := above.rpartition("/")[0]:
        if files.exists(above):
            return
    if not path.startswith("/"):
        raise BadOption(
            f"-o {printable(url)}: there is no such bucket or folder, or it is not to be reached; "
            "make it first"
        )


def stamp_of(info: Mapping[str, Any]) -> Stamp:
    """What fsspec tells of a file, from a listing or from itself."""
    when = next((_seconds(info[name]) for name in _TIMES if info.get(name)), None)
    tag = next((str(info[name]).strip('"') for name in _TAGS if info.get(name)), None)
    if tag is not None:  # times in listings and in answers about one file differ below a second
        return Stamp(info.get("size"), int(when or 0) * _NS + crc32(tag.encode()) % _NS)
    return Stamp(info.get("size"), None if when is None else int(when * 1e6) * 1000)


def _seconds(time: Any) -> float | None:
    if isinstance(time, (int, float)):
        return time
    if isinstance(time, str):
        from email.utils import parsedate_to_datetime  # noqa: PLC0415  (HTTP alone)

        try:
            time = parsedate_to_datetime(time)
        except ValueError:
            return None
    return time.timestamp() if isinstance(time, datetime) else None


_LISTED: dict[str, Stamp] = {}


def note_listed(stamps: Mapping[str, Stamp]) -> None:
    """Keep what a listing told until the next one: who asks for files that come of it asks now."""
    _LISTED.clear()
    _LISTED.update(stamps)


def measure(url: str) -> Stamp:
    """What the file at a URL is like; ``None`` twice if that can't be told.

    In the process that scans, of files in the last listing, without asking again.
    """
    if (known := _LISTED.get(url)) is not None:
        return known
    try:
        files, path = filesystem(url)
        return stamp_of(files.info(path))
    except Exception:  # noqa: BLE001  (stores raise anything; who reads the file says the reason)
        return Stamp(None, None)


@contextmanager
def reading(url: str) -> Iterator[tuple[Any, Stamp]]:
    """Give the file at a URL, to be read from its beginning, and what it is like.

    Raises:
        OSError: It can't be opened.
    """
    with _explained(url):
        files, path = filesystem(url)
        if url.startswith("http"):  # not every server gives parts, which a block would be
            stamp = stamp_of(files.info(path))
            file = files.open(path, "rb", block_size=0)
        else:
            file = files.open(path, "rb")
            stamp = stamp_of(getattr(file, "details", None) or {})
            if None in stamp:
                stamp = stamp_of(files.info(path))
    with file:
        yield file, stamp


def fetch(url: str, target: str) -> None:
    """Write the file at a URL to a local one, a part at a time.

    Raises:
        OSError: It can't be read, or not be written.
    """
    with _explained(url):
        files, path = filesystem(url)
        files.get_file(path, target)


def put(source: str, url: str) -> None:
    """Put a local file to a URL, in whose place it is whole or not at all, as the store has it.

    Raises:
        OSError: The store refuses it, or is not to be reached.
    """
    files, path = filesystem(url)
    try:
        files.put_file(source, path)
    except Exception as error:
        raise OSError(_in_a_line(error)) from error


@contextmanager
def _explained(url: str) -> Iterator[None]:
    """Say of what will not pass that it won't: stores raise errors without a number."""
    try:
        yield
    except Exception as error:
        cause = cause_of(error)
        if isinstance(cause, FileNotFoundError):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), url) from error
        if isinstance(cause, PermissionError) or getattr(cause, "status", 0) in {401, 403}:
            reason = f"{os.strerror(errno.EACCES)} ({_in_a_line(cause)})"
            raise PermissionError(errno.EACCES, reason, url) from error
        if cause is not error:
            raise cause from error
        raise


def cause_of(error: Exception) -> Exception:
    """What went wrong: over HTTP, fsspec says of every answer and failure that nothing is there."""
    cause = error.__cause__
    status = getattr(cause, "status", None)
    is_network = status not in {404, 410} if status else isinstance(cause, OSError)
    if not isinstance(error, FileNotFoundError) or not isinstance(cause, Exception):
        return error
    return cause if is_network and not isinstance(cause, FileNotFoundError) else error


def _in_a_line(error: Exception) -> str:
    return " ".join(f"{error}".split()) or type(error).__name__
