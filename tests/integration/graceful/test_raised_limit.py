"""We raise our own soft limit: what the children of this process get."""

from __future__ import annotations

import sys

import pytest

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="prlimit(2) is Linux's")

RAISED = """
import signal
NOFILE = resource.RLIMIT_NOFILE
graceful.configure(raise_limit=True)
assert resource.getrlimit(NOFILE) == (512, 512)
SHOW = [sys.executable, "-c", "import resource; print(*resource.getrlimit(resource.RLIMIT_NOFILE))"]

def started(**options):
    # Started asleep, so that it is looked at before it can do anything itself.
    child = graceful.subprocess.Popen(["sleep", "60"], **options)
    try:
        return resource.prlimit(child.pid, NOFILE)
    finally:
        child.kill()
        child.wait()
"""


def raised(limited, script: str) -> None:
    """Run a script in a process that has raised its limit from 64 to 512."""
    limited(RAISED + script, limit=64, hard=512)


@linux_only
def test_a_started_program_gets_the_limit_as_it_was(limited) -> None:
    """Also from an installed layer."""
    raised(
        limited,
        """
assert started() == (64, 512)
graceful.install()
import subprocess
child = subprocess.Popen(["sleep", "60"])
assert resource.prlimit(child.pid, NOFILE) == (64, 512)
child.kill(); child.wait()
""",
    )


def test_the_limit_that_preexec_fn_sets_stands(limited) -> None:
    """Soft or hard, lower or higher than it was: the caller has the last word."""
    raised(
        limited,
        """
def shown(*limits):
    done = graceful.subprocess.run(
        SHOW, stdout=-1, preexec_fn=lambda: resource.setrlimit(NOFILE, limits), check=True
    )
    return tuple(map(int, done.stdout.split()))
for limits in ((100, 512), (48, 512), (200, 200), (512, 512)):
    assert shown(*limits) == limits, shown(*limits)
""",
    )


@linux_only
def test_the_limit_a_program_set_itself_stands(limited) -> None:
    """It was quicker than we are: what it has chosen is not touched."""
    raised(
        limited,
        """
from fsworkers.graceful.budget import raise_limit
child = graceful.subprocess.Popen(["cat"], stdin=-1, stdout=-1)
resource.prlimit(child.pid, NOFILE, (100, 300))
raise_limit.restore_soft_limit_of(child.pid)
assert resource.prlimit(child.pid, NOFILE) == (100, 300)
child.communicate(b"")
""",
    )


@linux_only
def test_a_limit_set_after_we_raised_it_is_inherited_as_it_is(limited) -> None:
    """Whoever lowers or raises it then has decided for the children too."""
    raised(
        limited,
        """
for soft in (32, 300):
    resource.setrlimit(NOFILE, (soft, 512))
    assert started() == (soft, 512)
graceful.configure(raise_limit=True)
assert resource.getrlimit(NOFILE) == (512, 512)
assert started() == (300, 512)
""",
    )
