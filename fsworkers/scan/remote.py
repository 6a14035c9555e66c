"""Walking stores behind URLs, as fsspec lists them: a folder at a time, and nothing is kept.

Names, depths, sizes and times are filtered as those of local files are; what a store does not have
is refused. Files are called as the PATH was given, a slash, and the way below it.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from fsworkers import storage
from fsworkers.errors import BadOption
from fsworkers.model import Entry
from fsworkers.scan.directory import MOST_PATHS
from fsworkers.scan.filters import filters_of
from fsworkers.scan.kinds import error_reason
from fsworkers.scan.notation import parse_kind
from fsworkers.scan.roots import OWN_OUTPUT

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Sequence

    from fsworkers.scan.filters import Filters
    from fsworkers.scan.options import ScanOptions

__all__ = ["scan_urls"]


_OF_OBJECTS = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl"})

_NO_PART = "what is below has a name with nothing between two slashes, which fsspec does not list"


class _Status(NamedTuple):
    """What filters look at of a file."""

    st_size: int
    st_mtime: float
    st_mode: int = stat.S_IFREG


def scan_urls(
    urls: Sequence[str], options: ScanOptions, own: Iterable[str] = ()
) -> Iterator[list[str] | Entry]:
    """Find the files below some URLs; as ``tree.scan`` otherwise.

    Raises:
        BadOption: A filter is asked for that means nothing there, at the call itself.
    """
    for option, value in (
        ("--follow", options.follow),
        ("--one-file-system", options.one_file_system),
        ("--owner", options.owner),
        ("--gitignore", options.gitignore),
        ("--ignore-file", options.ignore_files),
        ("--type executable", "executable" in map(parse_kind, options.kinds)),
    ):
        if value:
            raise BadOption(f"{option} is about local files; leave it out where PATHs are URLs")
    roots = {url.rstrip("/"): url for url in urls}
    return _scan(list(roots.values()), _Walk(options, filters_of(options), {*roots}, {*own}))


def _scan(roots: list[str], walk: _Walk) -> Iterator[list[str] | Entry]:
    for root in roots:
        try:
            files, path = storage.filesystem(root)
            info = files.info(path)
        except Exception as error:  # noqa: BLE001  (stores raise anything; likewise below)
            yield Entry(root, "failed", error_reason(storage.cause_of(error)))
            continue
        if info["type"] == "directory" or root.endswith("/"):  # HTTP has no folders
            yield from walk.below(root, files, path)
            continue
        name = root.rpartition("/")[2]
        takes = walk.filters.takes_given
        if takes is None or takes(name, name):
            yield from walk.judged({root: info}, files)


def _is_hidden(info: Any) -> bool:
    """Whether keys are behind what looks like a folder within itself: all but its empty marker."""
    return info["type"] == "directory" or bool(info.get("size"))


class _Walk:
    """What is asked of all stores, and which URLs are not for the walk."""

    def __init__(
        self, options: ScanOptions, filters: Filters, roots: set[str], own: set[str]
    ) -> None:
        self.filters = filters
        self._options = options
        self._roots = roots
        self._own = own

    def below(self, root: str, files: Any, start: str) -> Iterator[list[str] | Entry]:
        """Walk a folder and what is below it."""
        pending = [(start, 0)]
        start, stem = start.rstrip("/"), root.rstrip("/")
        stem = root if stem.endswith(":") else f"{stem}/"  # s3://, webdav:///: all of the store
        if self._options.max_depth == 0:
            return
        while pending:
            called, depth = pending.pop()
            below_folder = f"{called.rstrip('/')[len(start) :]}/".lstrip("/")
            met: dict[str, Any] = {}
            for one in self._listed(files, called, stem, below_folder):
                if isinstance(one, Entry):
                    yield one
                    continue
                name, info = one
                below = below_folder + name
                if info["type"] == "directory":
                    enters = self.filters.enters
                    is_deep = depth + 1 == self._options.max_depth
                    if not is_deep and (enters is None or enters(name, below)):
                        pending.append((info["name"], depth + 1))
                elif depth + 1 >= self._options.min_depth and (
                    self.filters.takes_name is None or self.filters.takes_name(name, below)
                ):
                    met[stem + below] = info
            yield from self.judged(met, files)

    def _listed(
        self, files: Any, called: str, stem: str, below_folder: str
    ) -> Iterator[tuple[str, Any] | Entry]:
        """The names in a folder, each with what is told of it; or what is wrong with one."""
        try:
            listed = files.ls(called, detail=True)
            files.invalidate_cache()  # fsspec would keep all listings for ever
        except Exception as error:  # noqa: BLE001
            yield Entry(stem + below_folder.rstrip("/"), "failed", error_reason(error))
            return
        folder = called.rstrip("/")
        for info in listed:
            path = info["name"].rstrip("/")
            name = path.rpartition("/")[2]
            url = f"{stem}{below_folder}{name}"
            if url in self._roots:
                continue
            if path == folder or not name:  # the folder itself, or its marker
                if storage.is_any_of(files, _OF_OBJECTS) and _is_hidden(info):
                    yield Entry(f"{stem}{below_folder}/", "failed", _NO_PART)
            elif name in {".", ".."}:  # keys may be anything; a mirror of this would be elsewhere
                yield Entry(url, "failed", f"a store's own {name!r}, which means another place")
            else:
                yield name, info

    def judged(self, met: dict[str, Any], files: Any) -> Iterator[list[str] | Entry]:
        """Tell files to process from what is settled."""
        taken: dict[str, storage.Stamp] = {}
        settled: list[Entry] = []
        for url, info in met.items():
            stamp = storage.stamp_of(info)
            try:
                if reason := self._why_not(url, info):
                    settled.append(Entry(url, "skipped", reason))
                elif self.filters.takes_file is None or self._takes(info, files):
                    taken[url] = stamp
            except Exception as error:  # noqa: BLE001
                settled.append(Entry(url, "failed", error_reason(error)))
        urls = list(taken)
        for at in range(0, len(urls), MOST_PATHS):
            part = urls[at : at + MOST_PATHS]
            known = {url: taken[url] for url in part if None not in taken[url]}
            storage.note_listed(known)
            yield part
        storage.note_listed({})
        yield from settled

    def _why_not(self, url: str, info: Any) -> str | None:
        if url in self._own:
            return OWN_OUTPUT
        if "::" in url or "?versionId=" in url:
            raise ValueError("a name with :: or ?versionId=, which fsspec takes for no name")
        if info.get("islink") or info["type"] == "link":
            return "symbolic link, which is not followed behind a URL"
        return None if info["type"] == "file" else "not a regular file"

    def _takes(self, info: Any, files: Any) -> bool:
        """Whether the filters by size and time let a file through.

        Raises:
            ValueError: The store does not tell what they ask for.
        """
        options, takes = self._options, self.filters.takes_file
        by_time = (options.changed_within_s, options.changed_after, options.changed_before)
        wants_time, wants_size = any(one is not None for one in by_time), options.sizes
        stamp = storage.stamp_of(info)
        if stamp.size is None or (wants_time and not stamp.mtime_ns):
            stamp = storage.stamp_of(files.info(info["name"]))  # a listing may say less
        seconds = (stamp.mtime_ns or 0) // 10**9
        if (wants_size or options.kinds) and stamp.size is None:
            raise ValueError("the store does not tell its size, which a filter asks for")
        if wants_time and not seconds:
            raise ValueError("the store does not tell its time, which a filter asks for")
        status = cast("os.stat_result", _Status(stamp.size or 0, seconds))
        return takes is None or takes(status)
