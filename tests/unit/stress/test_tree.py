"""Files that prove their own content."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsworkers.stress.errors import NoSpace
from fsworkers.stress.tree import (
    LEAST_BYTES,
    build_tree,
    chain_of,
    check_space,
    content_of,
    is_right,
    names_of_chain,
    path_of,
)

if TYPE_CHECKING:
    from pathlib import Path


@given(st.integers(0, 999), st.integers(LEAST_BYTES, 500), st.data())
def test_any_change_is_noticed(number: int, size_bytes: int, data: st.DataObject) -> None:
    """Whole content is right; one byte changed, cut off, or another file's is not."""
    content = content_of(7, number, size_bytes)
    assert len(content) == size_bytes
    assert is_right(content, number)
    at = data.draw(st.integers(0, size_bytes - 1))
    assert not is_right(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :], number)
    assert not is_right(content[:at], number)
    assert not is_right(content, number + 1)


def test_the_tree_is_where_it_is_looked_for(tmp_path: Path) -> None:
    """Every file and every chain of directories is there."""
    build_tree(str(tmp_path), 120, 64, 1)
    for number in (0, 99, 100, 119):
        with open(path_of(str(tmp_path), number), "rb") as file:
            assert is_right(file.read(), number)
    top = chain_of(str(tmp_path), 3)
    found = {
        os.path.relpath(os.path.join(folder, name), top)
        for folder, _, names in os.walk(top)
        for name in names
    }
    assert found == names_of_chain()


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    """More than any disk holds is refused before anything is made."""
    with pytest.raises(NoSpace, match="--files and --size"):
        check_space(str(tmp_path), 10**9, 1 << 30)
    assert not list(tmp_path.iterdir())
