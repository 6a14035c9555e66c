"""What stands in braces, and what becomes of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsworkers.errors import BadTemplate
from fsworkers.tasks.templates import (
    FIELDS,
    File,
    expand,
    parse,
    relative_to,
    tells_files_apart,
)


@pytest.mark.parametrize(
    ("path", "template", "expected"),
    [
        # What fd 8.6 makes of them.
        (b"odd/b.tar.gz", "{}", b"odd/b.tar.gz"),
        (b"odd/b.tar.gz", "{/}", b"b.tar.gz"),
        (b"odd/b.tar.gz", "{//}", b"odd"),
        (b"odd/b.tar.gz", "{.}", b"odd/b.tar"),
        (b"odd/b.tar.gz", "{/.}", b"b.tar"),
        (b"odd/.hid", "{.}", b"odd/.hid"),
        (b"odd/..a", "{.}", b"odd/."),
        (b"./..a", "{.}", b""),
        (b"./odd/..a", "{.}", b"odd"),
        (b"./-dash.txt", "{.}", b"-dash"),
        (b"./-dash.txt", "{//}", b"."),
        (b"/a.b", "{.}", b"/a"),
        (b"name", "{//}", b"."),
        (b"d.ir/\xff.x", "<{.}>", b"<d.ir/\xff>"),
        # Ours.
        (b"-dash", "{}", b"./-dash"),
        (b"odd/a.b", "{{{#}}}-{%}", b"{7}-3"),
        (b"odd/s/a.b", "{rel} {rel.} {rel//} {out}", b"s/a.b s/a s o"),
    ],
)
def test_templates_become_what_fd_makes_of_them(
    path: bytes, template: str, expected: bytes
) -> None:
    """Each field, over bytes."""
    file = File(path, relative_to(path, [b"odd"]), 7, 3, b"o")
    assert expand(parse(template), file) == expected


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{foo}", "no {foo}"),
        ("{re}", "did you mean {rel}"),
        ("a{", "not closed"),
        ("}b", "not opened"),
        ("{{{", "not closed"),
    ],
)
def test_what_means_nothing_is_refused(template: str, reason: str) -> None:
    """The message says what there is, and how a brace is written."""
    with pytest.raises(BadTemplate, match=reason) as caught:
        parse(template)
    assert "{{ and }}" in str(caught.value)


@given(st.text(alphabet="ab{}/.\udcff"))
def test_doubled_braces_are_text(text: str) -> None:
    """Any text can be written."""
    doubled = text.replace("{", "{{").replace("}", "}}")
    expected = text.encode("utf-8", "surrogateescape")
    assert expand(parse(doubled), File(b"", b"")) == expected


@pytest.mark.parametrize(
    ("path", "roots", "expected"),
    [
        (b"tree/a/b", [b"tree"], b"a/b"),
        (b"tree/a/b", [b"tree", b"tree/a"], b"b"),
        (b"./a", [b"."], b"a"),
        (b"tree/x", [b"tree/x"], b"x"),
        (b"/etc/x", [b"/"], b"etc/x"),
        (b"/etc/x", [], b"etc/x"),
        (b"../../up/x", [], b"up/x"),
        (b"treeless/x", [b"tree"], b"treeless/x"),
    ],
)
def test_relative_paths_begin_at_the_path_given(
    path: bytes, roots: list[bytes], expected: bytes
) -> None:
    """Of several PATHs the deepest counts; nothing leads out of where it is put."""
    assert relative_to(path, roots) == expected


def test_which_templates_tell_files_apart() -> None:
    """Only those are known to be different without looking."""
    apart = {name for name in FIELDS if tells_files_apart(parse(f"x{{{name}}}"), 1)}
    assert apart == {"", "rel"}
    assert not tells_files_apart(parse("{rel}"), 2)
