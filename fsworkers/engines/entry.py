"""What a node's pool workers do before their first job: be where the run was begun.

A module of its own, so that workers load nothing of Dask.
"""

from __future__ import annotations

import os
import pickle
import sys


def enter_run(directory: str, import_path: list[str], initializer: bytes) -> None:
    """Go to the run's directory, find its modules, and call what the caller wants called.

    Args:
        directory: Where relative paths begin; left alone where this machine has no such one, which
            only relative paths would tell of.
        import_path: Where the run finds modules; what is missing here is searched last.
        initializer: The caller's own, pickled with its arguments; or empty.
    """
    if os.path.isdir(directory):
        os.chdir(directory)
    sys.path += [one for one in import_path if one not in sys.path]
    if initializer:
        function, arguments = pickle.loads(initializer)
        function(*arguments)
