"""The text of a task's traceback."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fsworkers import graceful
from fsworkers.pool.payload import pickle_value
from fsworkers.pool.tracebacks import traceback_text
from fsworkers.tasks.checksum import Checksum

if TYPE_CHECKING:
    from collections.abc import Callable


def text_of(function: Callable[[], object]) -> str:
    """The traceback of what a function raises, without the frame that calls it."""
    with pytest.raises(Exception) as caught:  # noqa: PT011
        function()
    return traceback_text(caught.value, caught.tb.tb_next)


def test_frames_of_ours_are_cut_and_counted() -> None:
    """Also below the code of others, and in the exception that this one comes of."""

    def user() -> None:
        try:
            graceful.open("no/such/file")
        except OSError as error:
            raise ValueError("gone") from error

    text = text_of(user)
    assert "fsworkers/graceful" not in text
    assert text.count(f'File "{__file__}"') == 2
    assert text.splitlines()[-2] == "ValueError: gone"
    assert "of fsworkers not shown)" in text.splitlines()[-1]


def test_traceback_without_ours_is_as_it_was() -> None:
    """Nothing is added to it."""
    text = text_of(lambda: json.loads("{"))
    assert text.splitlines()[-1].startswith("json.decoder.JSONDecodeError")


def test_built_in_task_shows_its_frames() -> None:
    """All are ours, and whoever mends it needs them."""
    assert "checksum.py" in text_of(lambda: Checksum("sha256")("no/such/file"))


def test_groups_are_told_with_all_that_is_in_them() -> None:
    """Each exception in a group is trimmed for itself."""

    def user() -> None:
        errors = []
        for name in ("a", "b"):
            try:
                graceful.open(f"no/such/{name}")
            except OSError as error:
                errors.append(error)
        raise ExceptionGroup("two", errors)

    text = text_of(user)
    assert "fsworkers/graceful" not in text
    assert text.count("FileNotFoundError") == 2


@pytest.mark.parametrize("name", ["<stdin>", "/some/where/script.py"])
def test_function_that_travels_by_value_tells_where_it_is_from(name: str) -> None:
    """File and line, of what is defined in it too."""
    source = "\n\ndef outer():\n    def inner():\n        return 1 / 0\n    return inner()\n"
    scope: dict[str, object] = {"__name__": "__main__"}
    exec(compile(source, name, "exec"), scope)
    text = text_of(pickle.loads(pickle_value(scope["outer"])))
    assert f'File "{name}", line 6, in outer' in text
    assert f'File "{name}", line 5, in inner' in text
    assert Path(__file__).name not in text
