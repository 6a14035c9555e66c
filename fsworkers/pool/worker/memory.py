"""How much memory this process has."""

from __future__ import annotations

import os
import resource
import sys


class Memory:
    """Asks the system for this process's resident memory; holds a descriptor for it on Linux."""

    def __init__(self) -> None:
        self._statm: int | None = None
        if sys.platform == "linux":
            self._statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)

    def rss_bytes(self) -> int:
        """Resident memory now; elsewhere than on Linux, the most there has been (getrusage(2))."""
        if self._statm is None:
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return int(os.pread(self._statm, 128, 0).split()[1]) * resource.getpagesize()
