"""The task ``text``: what a reader finds in PDF and HTML files and in plain text."""

from __future__ import annotations

import codecs
import os
import threading
from typing import Annotated, Any, ClassVar

from fsworkers import graceful
from fsworkers.errors import Skip
from fsworkers.tasks.extras import need
from fsworkers.tasks.task import Column

_ONE_AT_A_TIME = threading.Lock()
"""PDFium may not be called by two threads at once, and ``--slots`` makes several."""

_HTML = (".html", ".htm", ".xhtml")

_UNSEEN = ["head", "script", "style", "noscript", "template"]

_BLOCKS = (
    "address,article,aside,blockquote,br,dd,div,dl,dt,figcaption,figure,footer,form,h1,h2,h3,h4,"
    "h5,h6,header,hr,li,main,nav,ol,option,p,pre,section,table,td,th,tr,ul"
)
"""What begins and ends a line."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""What a text may begin with, and its encoding then; otherwise it is UTF-8."""


class Text:
    """Count characters and words of the text in each PDF, HTML and plain text file, or give it.

    Args:
        content: Whether the value has the text itself.

    Raises:
        MissingExtra: pypdfium2 or selectolax is not installed.
    """

    columns: ClassVar = (
        Column("characters", "integer"),
        Column("words", "integer"),
        Column("pages", "integer", meaning="of a PDF"),
        Column("text", "text", meaning="with content=true"),
    )
    example: ClassVar = "fsworkers process papers --task text --option content=true -o texts.jsonl"

    def __init__(
        self,
        content: Annotated[bool, "give the text itself too"] = False,
    ) -> None:
        need("text", "pypdfium2", "selectolax")
        self.content = content

    def __call__(self, path: str) -> dict[str, Any]:
        """Read one file.

        Raises:
            OSError: It can't be read.
            RuntimeError: It is a PDF that can't be opened: damaged, or with a password.
            Skip: It holds no text.
        """
        with graceful.open(path, "rb") as file:
            data = file.read()
        ending = os.path.splitext(path)[1].lower()
        value: dict[str, Any] = {}
        if ending == ".pdf" or data.startswith(b"%PDF-"):
            pages = _of_pdf(data)
            value["pages"] = len(pages)
            text = "\n".join(pages)
        elif ending in _HTML:
            text = _of_html(data)
        else:
            text = _plain(data)
        value = {"characters": len(text), "words": len(text.split()), **value}
        return value | {"text": text} if self.content else value


def _of_pdf(data: bytes) -> list[str]:
    import pypdfium2  # noqa: PLC0415  (an extra)

    with _ONE_AT_A_TIME, pypdfium2.PdfDocument(data) as document:
        return [page.get_textpage().get_text_bounded() for page in document]


def _of_html(data: bytes) -> str:
    from selectolax.lexbor import LexborHTMLParser  # noqa: PLC0415  (an extra)

    tree = LexborHTMLParser(data)
    tree.strip_tags(_UNSEEN)
    for node in tree.css(_BLOCKS):  # else the last word of one and the first of the next are one
        node.insert_before("\n")
        node.insert_after("\n")
    lines = (line.strip() for line in tree.text().splitlines())
    return "\n".join(filter(None, lines))


def _plain(data: bytes) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    if b"\0" in data:
        raise Skip("it holds no text")
    return data.decode("utf-8", "replace")
