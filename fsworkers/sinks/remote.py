"""An output behind a URL: written to a local file, and put in its place when it is whole."""

from __future__ import annotations

import io
import os
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from fsworkers import upload
from fsworkers.sinks.output import PARTIAL, Output

if TYPE_CHECKING:
    from pathlib import Path


class RemoteOutput(Output):
    """Of a run that does not come to its end nothing is put: it is resumed, and writes all of it.

    Args:
        path: The URL, as ``storage.RemotePath``.
    """

    def __init__(self, path: Path) -> None:
        self._folder = TemporaryDirectory(prefix="fsworkers-")
        partial = os.path.join(self._folder.name, path.name + PARTIAL)
        raw = io.FileIO(os.open(partial, os.O_WRONLY | os.O_CLOEXEC | os.O_CREAT, 0o600), "w")
        super().__init__(raw, os.fspath(path), is_regular=True, is_owned=True, partial=partial)

    def _put_in_place(self, partial: str) -> None:
        self.partial = None
        upload.put(partial, self.name)

    def close(self) -> None:
        """Let go of the local file."""
        super().close()
        self._folder.cleanup()
        self.partial = None
