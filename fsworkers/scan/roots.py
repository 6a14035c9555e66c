"""The PATH arguments of a scan: what each one is, and which of them are the same thing.

A directory is known by device and inode number, everything else by its parent directory and name,
so that spellings, repeats, overlaps and links to one directory make no difference while hard links
stay separate files.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from fsworkers.model import Entry
from fsworkers.names import is_url
from fsworkers.scan.directory import MOST_PATHS
from fsworkers.scan.errors import PathNotFound
from fsworkers.scan.kinds import error_reason, link_error_reason, special_kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fsworkers.scan.filters import Filters

__all__ = ["AnyPath", "Identity", "PassedOver", "Roots", "check_paths", "resolve", "tidy"]

AnyPath: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]

#: Device and inode number of a directory.
Identity: TypeAlias = tuple[int, int]

#: Names of a directory that a walk leaves out, because they are PATHs themselves (``None``), or
#: reports as skipped (the reason).
PassedOver: TypeAlias = dict[str, str | None]

OWN_OUTPUT = "written by this run"


class Roots(msgspec.Struct):
    """PATH arguments, resolved.

    Attributes:
        found: In order: a directory's path with its identity, files in a row, or a settled entry.
        directories: The identity of each directory among them, and the path it was given as.
        names: By identity of the parent directory.
    """

    found: list[tuple[str, Identity] | list[str] | Entry] = []
    directories: dict[Identity, str] = {}
    names: dict[Identity, PassedOver] = {}


def check_paths(paths: Iterable[AnyPath]) -> None:
    """Refuse a PATH that does not exist, before anything is started.

    A dangling link exists, and so may what cannot be reached for want of permission: the scan
    reports those.

    Raises:
        PathNotFound: The first PATH that does not exist.
        BadOption: One is a URL whose store is not to be reached, or not with that URL.
    """
    for path in map(os.fsdecode, paths):
        if is_url(path):
            _check_url(path)
            continue
        try:
            os.lstat(path)
        except (FileNotFoundError, NotADirectoryError, ValueError):
            raise PathNotFound(path) from None
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG and max(map(len, path.split("/"))) > 255:
                raise PathNotFound(path) from None


def _check_url(url: str) -> None:
    from fsworkers import storage  # noqa: PLC0415  (only with URLs)

    if not storage.check(url):
        raise PathNotFound(url)


def resolve(paths: Iterable[AnyPath], filters: Filters, own: Iterable[AnyPath] = ()) -> Roots:
    """Look at every PATH once, following links, and drop those that repeat an earlier one.

    Filters by name, size and age hold for a file that is a PATH too, its depth and a leading dot
    do not matter. A file they leave out is not claimed, so that a walk that meets it decides anew.

    Args:
        paths: The PATH arguments.
        filters: What to leave out.
        own: Files that the run itself writes, whether they exist already or not.
    """
    roots = Roots()
    for path in map(os.fsdecode, own):
        parent, name = _place(path)
        if parent is not None:
            roots.names.setdefault(parent, {})[name] = OWN_OUTPUT
    for path in map(tidy, paths):
        _add(roots, path, filters)
    return roots


def tidy(path: AnyPath) -> str:
    """A PATH as what is below it will be called: slashes in a row are one, but for a URL's."""
    text = os.fsdecode(path)
    return re.sub("/{2,}", "/", text) if "//" in text and not is_url(text) else text


def _add(roots: Roots, path: str, filters: Filters) -> None:
    kind, item = look_at(path, filters)
    if kind == "left out":
        return
    is_link = os.path.islink(path.rstrip("/") or path)
    if is_link or kind != "directory":
        parent, name = _place(path)
        if parent is not None:
            siblings = roots.names.setdefault(parent, {})
            if name in siblings:
                reason = siblings[name]
                if reason is not None:
                    roots.found.append(Entry(path, "skipped", reason))
                    siblings[name] = None
                return
            siblings[name] = None
    if isinstance(item, tuple):
        identity = item[1]
        if identity in roots.directories:
            return
        roots.directories[identity] = path
    last = roots.found[-1] if roots.found else None
    if isinstance(item, str) and isinstance(last, list) and len(last) < MOST_PATHS:
        last.append(item)
    else:
        roots.found.append([item] if isinstance(item, str) else item)


def look_at(
    path: str, filters: Filters
) -> tuple[Literal["directory", "other", "left out"], tuple[str, Identity] | str | Entry]:
    """Tell what one given path is, following links; the second part is what is found."""
    try:
        status = os.stat(path)
    except OSError as error:
        return "other", Entry(path, "failed", link_error_reason(path, error))
    except ValueError as error:  # a NUL in the name
        return "other", Entry(path, "failed", error_reason(error))
    if stat.S_ISDIR(status.st_mode):
        return "directory", (path, (status.st_dev, status.st_ino))
    name = os.path.basename(path)
    takes_file = filters.takes_file
    if filters.takes_given is not None and not filters.takes_given(name, name):
        return "left out", path
    if stat.S_ISREG(status.st_mode):
        taken = takes_file is None or takes_file(status)
        return ("other" if taken else "left out"), path
    entry = Entry(path, "skipped", special_kind(status.st_mode))
    return ("other" if takes_file is None else "left out"), entry


def _place(path: str) -> tuple[Identity | None, str]:
    """Give the parent directory's identity, and the name within it."""
    parent, name = os.path.split(path.rstrip("/"))
    try:
        status = os.stat(parent or ".")
    except (OSError, ValueError):
        return None, name
    return (status.st_dev, status.st_ino), name
