"""Files behind URLs, by way of fsspec: what one is like, and its bytes.

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
from urllib.parse import quote
from zlib import crc32

from fsworkers.errors import BadOption, FsworkersError, MissingExtra
from fsworkers.graceful.budget.budget import BUDGET
from fsworkers.names import printable

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping
    from typing import Self

_USER = re.compile(r"^([^:]+://[^/?#]*):[^/?#@]*@")
_SIGNED = re.compile(
    r"[?&]((x-(amz|goog)-(signature|credential|security-token))|sig|signature|(access_?)?token"
    r"|(api_?)?key|password)=",
    re.IGNORECASE,
)
_NO_NAME = re.compile("[?#\t\r\n]")
_MOST_OF_LINE = 400
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
    folder, name = _apart(url)
    if url.startswith(("sftp:", "ssh:")):  # whose tracebacks of lost connections are for a log
        from logging import NullHandler, getLogger  # noqa: PLC0415  (as above)

        if not (log := getLogger("paramiko")).handlers:
            log.addHandler(NullHandler())
    try:
        files, path = fsspec.core.url_to_fs(folder)
    except (ImportError, ValueError, TypeError) as error:
        raise BadOption(f"{printable(url)}: {in_a_line(error)}") from error
    if is_any_of(files, {"webdav", "dav"}):
        _quote_names(files.client)
    return files, f"{path.rstrip('/')}/{name}" if name else path


def _quote_names(client: Any) -> None:
    """Have ``%``, ``?`` and the like in names quoted, which webdav4 (0.11) takes for the URL's."""
    join_url = type(client).join_url
    if "join_url" not in vars(client):
        client.join_url = lambda path, **how: join_url(client, quote(path), **how)


def _apart(url: str) -> tuple[str, str]:
    """A URL, and apart from it a name with what would end it, or be left out of it."""
    found = _NO_NAME.search(url)
    if found is None or "::" in url or url.startswith("http"):
        return url, ""
    start = url.rfind("/", 0, found.start()) + 1
    return url[:start], url[start:]


def is_any_of(files: Any, protocols: Container[str]) -> bool:
    """Whether a file system of fsspec is that of one of some protocols."""
    own = files.protocol
    return any(one in protocols for one in ([own] if isinstance(own, str) else own))


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


def reached(url: str) -> tuple[Any, str]:
    """As ``filesystem``; some stores are connected to at once.

    Raises:
        BadOption: As there, or the store is not to be reached.
        MissingExtra: fsspec is not installed.
    """
    try:
        return filesystem(url)
    except FsworkersError:
        raise
    except Exception as error:
        raise BadOption(f"{printable(url)}: {in_a_line(error)}") from error


def check(url: str) -> bool:
    """Look whether there is something at a URL.

    Raises:
        BadOption: That can't be found out: the store is not to be reached, or refuses.
        MissingExtra: fsspec is not installed.
    """
    files, path = reached(url)
    try:
        files.info(path)
    except Exception as error:
        cause = cause_of(error)
        if isinstance(cause, FileNotFoundError):
            return False
        raise BadOption(f"{printable(url)}: {in_a_line(cause)}") from error
    return True


def stamp_of(info: Mapping[str, Any]) -> Stamp:
    """What fsspec tells of a file, from a listing or from itself."""
    when = time_of(info)
    tag = next((str(info[name]).strip('"') for name in _TAGS if info.get(name)), None)
    if tag is not None:  # times in listings and in answers about one file differ below a second
        return Stamp(info.get("size"), int(when or 0) * _NS + crc32(tag.encode()) % _NS)
    return Stamp(info.get("size"), None if when is None else int(when * 1e6) * 1000)


def time_of(info: Mapping[str, Any]) -> float | None:
    """When a file was modified, in seconds; ``None`` where the store does not tell."""
    return next((_seconds(info[name]) for name in _TIMES if info.get(name)), None)


def look(url: str) -> Mapping[str, Any] | None:
    """What fsspec tells of the file at a URL; ``None`` where none is.

    Raises:
        OSError: That can't be found out.
    """
    try:
        with explained(url):
            files, path = filesystem(url)
            info: Mapping[str, Any] = files.info(path)
    except FileNotFoundError:
        return None
    return info if info["type"] != "directory" else None


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
    with explained(url):
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
    with explained(url):
        files, path = filesystem(url)
        files.get_file(path, target, **sparing(files))


def sparing(files: Any) -> dict[str, int]:
    """How a large file goes to or from a store: S3's package has ten parts of 50 MB in memory."""
    return {"chunksize": 1 << 24, "max_concurrency": 1} if is_any_of(files, {"s3", "s3a"}) else {}


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Say of what will not pass that it won't: stores raise errors without a number."""
    try:
        yield
    except Exception as error:
        cause = cause_of(error)
        if isinstance(cause, FileNotFoundError):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), url) from error
        if isinstance(cause, PermissionError) or getattr(cause, "status", 0) in {401, 403}:
            reason = f"{os.strerror(errno.EACCES)} ({in_a_line(cause)})"
            raise PermissionError(errno.EACCES, reason, url) from error
        _connect_anew(url)
        if cause is not error:
            raise cause from error
        raise


def _connect_anew(url: str) -> None:
    """Let another attempt have a new connection, where fsspec would keep one that is broken."""
    protocol = url.partition(":")[0]
    if protocol in {"sftp", "ssh", "ftp"}:
        from fsspec import get_filesystem_class  # noqa: PLC0415  (only with a URL)

        get_filesystem_class(protocol).clear_instance_cache()


def cause_of(error: Exception) -> Exception:
    """What went wrong: over HTTP, fsspec says of every answer and failure that nothing is there."""
    cause = error.__cause__
    status = getattr(cause, "status", None)
    is_network = status not in {404, 410} if status else isinstance(cause, OSError)
    if not isinstance(error, FileNotFoundError) or not isinstance(cause, Exception):
        return error
    return cause if is_network and not isinstance(cause, FileNotFoundError) else error


def in_a_line(error: Exception) -> str:
    """An error's message, as far as a line has room for it, or else its name."""
    said = " ".join(f"{error}".split()) or type(error).__name__
    return said if len(said) <= _MOST_OF_LINE else f"{said[:_MOST_OF_LINE]}…"
