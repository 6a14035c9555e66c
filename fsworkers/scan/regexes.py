"""Regular expressions as a filter: Python's own, and when capital letters count in one."""

from __future__ import annotations

import re

__all__ = ["compile_regex"]


def compile_regex(pattern: str) -> re.Pattern[str]:
    r"""Compile one; use ``search`` of the result.

    Upper and lower case are the same unless it holds a capital letter; that of ``\W``, ``\S`` or
    ``(?P<name>…)`` is none. A dot stands for a newline too.

    Raises:
        ValueError: It is empty, or can't be read.
    """
    if not pattern:
        raise ValueError("an empty regular expression is in every name; leave the option out")
    letters = re.sub(r"\\.|\(\?P", "", pattern, flags=re.DOTALL)
    flags = re.DOTALL | (re.IGNORECASE if letters == letters.lower() else 0)
    try:
        return re.compile(pattern, flags)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"bad regular expression '{pattern}': {error}") from error
