"""What every test is held to: it leaves as many descriptors and child processes as it found."""

from __future__ import annotations

import gc
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

# The first text that is drawn takes a second in a fresh clone: the table of characters is made.
# How long an example takes says more about the machine, as it is just now, than about the code.
settings.register_profile("fsworkers", suppress_health_check=[HealthCheck.too_slow], deadline=None)
settings.load_profile("fsworkers")

# Tests start a thousand interpreters: each would compile the package anew, half of all their time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

_DESCRIPTORS = Path("/proc/self/fd") if Path("/proc/self/fd").is_dir() else Path("/dev/fd")


# In the background of a script, or under nohup, these are ignored, also by whatever is tested here.
for _number, _default in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _default)


def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are processors: most tests wait more than they work."""
    return (os.cpu_count() or 1) + 1


def open_descriptors() -> dict[str, str]:
    """This process's descriptors, and what each is."""
    found = {}
    for name in os.listdir(_DESCRIPTORS):
        try:
            found[name] = os.readlink(_DESCRIPTORS / name)
        except OSError:
            continue  # the one that the listing itself used
    return found


@pytest.fixture(scope="session", autouse=True)
def state_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let no test record its runs among the user's."""
    before = os.environ.get("XDG_STATE_HOME")
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))
    yield
    if before is None:
        del os.environ["XDG_STATE_HOME"]
    else:
        os.environ["XDG_STATE_HOME"] = before


@pytest.fixture(autouse=True)
def leaves_nothing_behind() -> Iterator[None]:
    """Compare descriptors and children after the test with those before."""
    gc.freeze()  # what is there already is not looked through again: that took half of all the time
    descriptors = open_descriptors()
    children = {child.pid for child in psutil.Process().children()}
    yield
    gc.collect()
    new = {name: what for name, what in open_descriptors().items() if name not in descriptors}
    # An event loop or library may keep one of its own for the life of the process.
    assert not new, f"left open: {new}"
    left = [child for child in psutil.Process().children() if child.pid not in children]
    assert not left, f"left running: {left}"
