"""What other runs may have called a directory."""

from __future__ import annotations

import pytest

from fsworkers.journal.earlier import absolute, spellings


@pytest.mark.parametrize(
    ("directory", "place"),
    [
        ("a/b/", "/home/me/a/b/"),
        ("./a/", "/home/me/a/"),
        (".//a/", "/home/me/a/"),
        ("../you/", "/home/you/"),
        ("../../../", "/"),
        ("./", "/home/me"),
        ("", "/home/me"),
        ("/x/../y/", "/x/../y/"),
        ("link/../a/", "/home/me/link/../a/"),
    ],
)
def test_where_a_directory_is(directory: str, place: str) -> None:
    """Leading dots are resolved; what follows a name is not, for the name may be a link."""
    assert absolute(directory, "/home/me") == place


@pytest.mark.parametrize(
    ("root", "cwd", "place", "name"),
    [
        ("tree", "/home", "/home/tree/", "tree/"),
        ("tree", "/home", "/home/tree/a/", "tree/a/"),
        ("./tree/", "/home", "/home/tree/a/", "./tree/a/"),
        ("tree//", "/home", "/home/tree/a/", "tree//a/"),
        ("../tree", "/home", "/tree/a/b/", "../tree/a/b/"),
        (".", "/home", "/home/", "./"),
        ("/", "/home", "/etc/", "/etc/"),
        ("/", "/home", "/", "/"),
        ("/", "/", "/a/", "/a/"),
        ("tree/file", "/home", "/home/tree/", "tree/"),
        ("/file", "/home", "/", "/"),
        ("/home/tree", "/elsewhere", "/home/tree/a/", "/home/tree/a/"),
    ],
)
def test_names_that_a_run_gave(root: str, cwd: str, place: str, name: str) -> None:
    """The name that a scan of that PATH gives comes first, and leads to the same place."""
    names = spellings(place, cwd, [root])
    assert names[0] == name
    assert {absolute(each, cwd).rstrip("/").replace("//", "/") for each in names} == {
        place.rstrip("/")
    }


def test_names_in_a_list_of_files() -> None:
    """Without PATHs: relative, with a leading dot or absolute, as find writes them."""
    assert spellings("/home/a/", "/home", []) == ["a/", "./a/", "/home/a/"]
    assert spellings("/home", "/home", []) == ["", "./", "/home/"]
    assert spellings("/a/", "/", []) == ["a/", "./a/", "/a/"]
