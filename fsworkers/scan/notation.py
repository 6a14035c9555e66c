"""How owners, types of files, extensions and samples are written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import stat_result

__all__ = ["Owner", "Sample", "extension_suffix", "parse_kind", "parse_owner", "parse_sample"]

_KINDS = {"e": "empty", "x": "executable"}
_ID_END = 2**32


class Owner(msgspec.Struct, frozen=True):
    """Whose a file is to be; ``None`` is anybody.

    Attributes:
        user_id: Its user.
        group_id: Its group.
        is_not_user: Anybody but this user, if one is named.
        is_not_group: Any group but this.
    """

    user_id: int | None = None
    group_id: int | None = None
    is_not_user: bool = False
    is_not_group: bool = False

    def owns(self, status: stat_result) -> bool:
        """Whether a file is one of theirs."""
        return (
            self.user_id is None or (status.st_uid == self.user_id) is not self.is_not_user
        ) and (self.group_id is None or (status.st_gid == self.group_id) is not self.is_not_group)


class Sample(msgspec.Struct, frozen=True):
    """How much is chosen: a number of files, or a share of them between 0 and 1."""

    count: int | None = None
    share: float | None = None


def parse_sample(text: str) -> Sample:
    """Read ``100`` (files) or ``2.5%``.

    Raises:
        ValueError: The text is neither, or it is of no file or more than all.
    """
    found = re.fullmatch(r"(?a)\s*(\d{1,15})(?:(\.\d{1,15})?\s*(%))?\s*", text)
    number, fraction, percent = ("", "", "") if found is None else found.groups(default="")
    amount = float(number + fraction or 0)
    if amount <= 0 or (percent and amount > 100):
        raise ValueError(
            f"'{text}' is not a sample; write a number of files such as 100, or a share such as 5%"
        )
    return Sample(share=amount / 100) if percent else Sample(count=int(number))


def extension_suffix(extension: str) -> str:
    """How a name ends, in lower case, that has this extension.

    Raises:
        ValueError: It is empty.
    """
    bare = extension.lstrip(".")
    if not bare or "/" in bare:
        raise ValueError(
            f"'{extension}' is not an extension; write jpg or tar.gz "
            "(--regex '^[^.]+$' takes names that have none)"
        )
    return "." + bare.lower()


def parse_kind(text: str) -> str:
    """Read a type of file: ``empty`` or ``executable``, or its letter in ``fd``.

    Raises:
        ValueError: It is neither.
    """
    kind = _KINDS.get(text, text)
    if kind not in _KINDS.values():
        raise ValueError(
            f"'{text}' is not a type that can be asked for; only files are processed, "
            "and of those the type is empty or executable"
        )
    return kind


def parse_owner(text: str) -> Owner:
    """Read ``user``, ``user:group`` or ``:group``, names or numbers, ``!`` before one for not it.

    Raises:
        ValueError: The text is none of this, or there is nobody of that name.
    """
    # Neither is loaded until it is asked for.
    from grp import getgrnam  # noqa: PLC0415
    from pwd import getpwnam  # noqa: PLC0415

    user, _, group = text.partition(":")
    user_id = _id("user", user.removeprefix("!"), lambda name: getpwnam(name).pw_uid)
    group_id = _id("group", group.removeprefix("!"), lambda name: getgrnam(name).gr_gid)
    if user_id is None and group_id is None:
        raise ValueError(f"'{text}' is no owner; write ada, ada:staff, :staff or '!root'")
    return Owner(user_id, group_id, user.startswith("!"), group.startswith("!"))


def _id(kind: str, name: str, look_up: Callable[[str], int]) -> int | None:
    """The number of a user or group; ``None`` where none is named."""
    if not name:
        return None
    if name.isascii() and name.isdecimal() and int(name) < _ID_END:
        return int(name)
    try:
        return look_up(name)
    except (KeyError, ValueError):
        raise ValueError(
            f"there is no {kind} '{name}' here; write ada, ada:staff, :staff or '!root', "
            "by name or number"
        ) from None
