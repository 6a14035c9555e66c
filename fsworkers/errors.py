"""The whole error hierarchy: one root, and a builtin mixed in that a caller would catch.

The descriptor layer's own errors are defined beside it (it stands alone) and shown here too.
"""

from __future__ import annotations

from fsworkers.graceful.errors import FsworkersError

__all__ = ["FsworkersError"]
