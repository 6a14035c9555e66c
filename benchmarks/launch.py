"""Start one command, wait for it, and write down what it took. Run as a script, without ``site``.

    launch.py REPORT OUTPUT ERRORS COMMAND…

A process of its own, and a small one: until it becomes the command, a child shares its parent's
memory, and its peak counts for the child (wait4(2), ``ru_maxrss``). The report is one line: wait
status, seconds, processor seconds of user and system, peak resident memory in bytes. The latter are
of the command and of those children that it waited for, the memory is that of the largest one.
"""

from __future__ import annotations

import os
import sys
from time import perf_counter

_RSS_BYTES = 1 if sys.platform == "darwin" else 1024


def main(report: str, output: str, errors: str, *command: str) -> None:
    """Run the command with its output and errors in files, and nothing to read."""
    write = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, output, write, 0o644),
        (os.POSIX_SPAWN_OPEN, 2, errors, write, 0o644),
    ]
    began = perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=actions)
    _, status, usage = os.wait4(pid, 0)
    wall_s = perf_counter() - began
    cpu_s = usage.ru_utime + usage.ru_stime
    with open(report, "w") as file:
        file.write(f"{status} {wall_s!r} {cpu_s!r} {usage.ru_maxrss * _RSS_BYTES}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
