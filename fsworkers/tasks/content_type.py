"""The task ``type``: what files hold, whatever they are called."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from fsworkers import graceful
from fsworkers.errors import MissingExtra
from fsworkers.tasks.task import Column


class ContentType:
    """Tell the content type of each file by what is in it, as file --mime does.

    libmagic finds it out, which is that of ``file``: it was the only one of those tried that takes
    neither a plain zip archive for a document nor a program for a disk image.

    Raises:
        MissingExtra: python-magic is not installed, or libmagic is not.
    """

    columns: ClassVar = (
        Column("type", "text", meaning="as in image/png"),
        Column("charset", "text", meaning="of a text; binary for what is none"),
    )
    example: ClassVar = "fsworkers process downloads --task type -o types.csv"

    def __init__(self) -> None:
        try:
            import magic  # noqa: F401, PLC0415  (an extra)
        except ImportError as error:
            what = "libmagic (libmagic1, file-libs or libmagic of the system, with python-magic)"
            raise MissingExtra(what, "type") from error

    def open_worker(self) -> _Looker:
        """Load the rules."""
        return _Looker()

    def __call__(self, path: str) -> dict[str, str]:
        """Look at one file, with rules that are loaded for it."""
        return _Looker()(path)


class _Looker:
    def __init__(self) -> None:
        import magic  # noqa: PLC0415  (an extra)

        self._magic: Any = magic.Magic(mime=True, mime_encoding=True)

    def __call__(self, path: str) -> dict[str, str]:
        """Look at one file.

        Raises:
            OSError: It can't be read.
        """
        with graceful.open(path, "rb", buffering=0) as file:
            if os.fstat(file.fileno()).st_size == 0:  # of which libmagic says so only by name
                return {"type": "inode/x-empty", "charset": "binary"}
            told = self._magic.from_descriptor(file.fileno())
        kind, _, charset = told.partition("; charset=")
        return {"type": kind, "charset": charset}
