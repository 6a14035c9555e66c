"""Which files of patterns hold in a directory, and which of them decides.

As git and fd have it, the strongest first: the directory's own ``.gitignore``, those above it up to
the root of the repository, ``.git/info/exclude`` there, the user's own (``core.excludesFile``,
``~/.config/git/ignore`` unless it is set), and last the files that the run was given.
"""

from __future__ import annotations

import logging
import os
import stat
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from fsworkers import graceful
from fsworkers.names import printable
from fsworkers.scan.errors import IgnoreFileUnreadable
from fsworkers.scan.gitignore import IgnoreRules, compile_rules

if TYPE_CHECKING:
    from fsworkers.scan.options import ScanOptions

__all__ = ["IgnoredHere", "Ignoring"]

LOGGER = logging.getLogger("fsworkers")

#: Patterns, and the way from the directory they are about to the one where they are asked.
_Level: TypeAlias = tuple[IgnoreRules, bytes]


class IgnoredHere(NamedTuple):
    """What holds in one directory, the strongest first.

    Attributes:
        git: From the repository and its user.
        given: From the files that the run was given.
        is_git: Whether ``.git`` is passed over.
    """

    git: tuple[_Level, ...]
    given: tuple[_Level, ...]
    is_git: bool

    def leaves_out(self, name: str, *, is_directory: bool) -> bool:
        """Whether what has this name in the directory is ignored."""
        if self.is_git and name == ".git":
            return True
        exact = os.fsencode(name)
        for levels in (self.git, self.given):
            for rules, way in levels:
                verdict = rules.verdict(exact, way + exact, is_directory=is_directory)
                if verdict is not None:
                    return verdict
        return False


class Ignoring:
    """The patterns of one scan, each file of them read once and compiled.

    Raises:
        IgnoreFileUnreadable: One of those that the run was given can't be read.
    """

    def __init__(self, options: ScanOptions) -> None:
        self._uses_git = options.gitignore
        self._given = _levels(*map(_read_given, reversed(options.ignore_files)))
        self._users: tuple[_Level, ...] | None = None

    def at_path(self, path: str) -> IgnoredHere:
        """What holds in a directory that is a PATH; one in no repository is taken for a root."""
        given = self._given
        if not self._uses_git:
            return IgnoredHere((), given, is_git=False)
        real = root = os.path.realpath(path)
        while not _is_repository(root):
            if root == "/":
                root = real
                break
            root = os.path.dirname(root)
        here = IgnoredHere(self._of_repository(root), (), is_git=True)
        if real != root:
            place = root
            for name in os.path.relpath(real, root).split("/"):
                place = os.path.join(place, name)
                here = self.below(here, place)
        return here._replace(given=given)

    def below(self, above: IgnoredHere, path: str) -> IgnoredHere:
        """What holds in a directory, from what does in the one above it."""
        step = os.fsencode(os.path.basename(path)) + b"/"
        given = tuple((rules, way + step) for rules, way in above.given)
        if not self._uses_git:
            return IgnoredHere((), given, is_git=False)
        if _is_repository(path):
            return IgnoredHere(self._of_repository(path), given, is_git=True)
        inherited = tuple((rules, way + step) for rules, way in above.git)
        own = _levels(_read_found(os.path.join(path, ".gitignore")))
        return IgnoredHere(own + inherited, given, is_git=True)

    def _of_repository(self, root: str) -> tuple[_Level, ...]:
        if self._users is None:
            self._users = _levels(_read_found(_users_file(root), follow=True))
        own = _read_found(os.path.join(root, ".gitignore"))
        return _levels(own, _read_found(_exclude_file(root), follow=True)) + self._users


def _levels(*contents: bytes) -> tuple[_Level, ...]:
    return tuple((rules, b"") for rules in map(compile_rules, contents) if rules is not None)


def _is_repository(directory: str) -> bool:
    return os.path.lexists(os.path.join(directory, ".git"))


def _exclude_file(root: str) -> str:
    place = ".git"
    if os.path.isfile(os.path.join(root, place)):  # a worktree or a submodule
        place = _ask_git(root, "rev-parse", "--git-common-dir") or place
    return os.path.join(root, place, "info", "exclude")


def _users_file(root: str) -> str:
    configured = _ask_git(root, "config", "--path", "core.excludesFile")
    if configured:
        return os.path.join(root, configured)
    configuration = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return os.path.join(configuration, "git", "ignore")


def _ask_git(root: str, *arguments: str) -> str:
    """What git answers; nothing where it isn't installed, or has no answer."""
    try:
        answer = graceful.subprocess.run(
            ["git", "-C", root, *arguments],
            capture_output=True,
            stdin=graceful.subprocess.DEVNULL,
            check=False,
        )
    except FileNotFoundError:
        return ""
    return os.fsdecode(answer.stdout.removesuffix(b"\n")) if answer.returncode == 0 else ""


def _read_found(path: str, *, follow: bool = False) -> bytes:
    """What a file of patterns holds, if it is there; as in git, a link in the tree is none."""
    try:
        if not stat.S_ISREG(os.stat(path, follow_symlinks=follow).st_mode):
            return b""
        return _read(path)
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except OSError as error:
        LOGGER.warning("the patterns in %s are left out: %s", printable(path), error.strerror)
        return b""


def _read_given(path: str) -> bytes:
    try:
        return _read(path)
    except (OSError, ValueError) as error:
        raise IgnoreFileUnreadable(path, getattr(error, "strerror", None) or str(error)) from error


def _read(path: str) -> bytes:
    with graceful.open(path, "rb") as file:
        content: bytes = file.read()
        return content
