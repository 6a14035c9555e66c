"""Looking into folders: what could not be opened is never missing without a word."""

from __future__ import annotations

import pytest

TREE = """
import glob, pathlib, tempfile
for number in range(3):
    os.makedirs(os.path.join(FOLDER, str(number), "below"))
    open(os.path.join(FOLDER, str(number), "f"), "w").close()

def saturated(error, action):
    held = [graceful.open(FILE) for _ in range(graceful.statistics().capacity)]
    try:
        found = action()
    except error:
        return
    finally:
        for file in held: file.close()
    raise AssertionError(f"it found {found}")
"""

SCANS = [
    "graceful.glob.glob(FOLDER + '/*')",
    "graceful.glob.glob(FOLDER + '/*/*')",
    "list(graceful.glob.iglob(FOLDER + '/**', recursive=True))",
    "graceful.glob.glob('*', root_dir=FOLDER)",
    "graceful.glob.glob('0/*', dir_fd=TOP)",
    "list(graceful.os.walk(FOLDER))",
    "list(graceful.os.fwalk(FOLDER))",
]
INSTALLED = [
    "glob.glob(FOLDER + '/*')",
    "list(early_iglob(FOLDER + '/**', recursive=True))",
    "glob.glob('0/*', dir_fd=TOP)",
    "os.listdir(FOLDER)",
    "list(os.walk(FOLDER))",
    "list(pathlib.Path(FOLDER).iterdir())",
    "list(pathlib.Path(FOLDER).glob('*'))",
    "list(pathlib.Path(FOLDER).glob('*/f'))",
    "list(pathlib.Path(FOLDER).rglob('f'))",
    "list(getattr(pathlib.Path(FOLDER), 'walk', lambda: os.walk(FOLDER))())",
]


@pytest.mark.parametrize("scan", SCANS)
def test_a_scan_that_ran_out_of_time_says_so(limited, scan: str) -> None:
    """Not one entry is missing from a result that was given."""
    limited(f"""
        {TREE.replace(chr(10), chr(10) + " " * 8)}
        TOP = os.open(FOLDER, os.O_RDONLY)
        graceful.configure(max_open_files=4, wait_s=0.02)
        assert len({scan}) > 0
        saturated(graceful.BudgetTimeout, lambda: {scan})
        assert lent() == 0
    """)


@pytest.mark.parametrize("scan", INSTALLED)
def test_a_standard_scan_that_ran_out_of_time_says_so(limited, scan: str) -> None:
    """The standard library's own, installed; uninstalled it is as it was."""
    limited(f"""
        {TREE.replace(chr(10), chr(10) + " " * 8)}
        from glob import iglob as early_iglob
        TOP = os.open(FOLDER, os.O_RDONLY)
        expected = repr({scan})
        original = glob.iglob
        graceful.configure(max_open_files=4, wait_s=0.02)
        graceful.install()
        assert repr({scan}) == expected
        saturated(graceful.BudgetTimeout, lambda: {scan})
        graceful.uninstall()
        assert glob.iglob is early_iglob is original and repr({scan}) == expected
        assert lent() == 0
    """)


def test_a_scan_cut_off_in_the_middle_says_so(limited) -> None:
    """Folders taken away from under an iterator: the rest is not left out."""
    limited(f"""
        {TREE.replace(chr(10), chr(10) + " " * 8)}
        graceful.configure(max_open_files=4, wait_s=0.02)
        found = graceful.glob.iglob(FOLDER + "/**", recursive=True)
        assert next(found) == FOLDER + "/"
        saturated(graceful.BudgetTimeout, lambda: list(found))
        assert lent() == 0
        # Outside of a scan the error is what it always is.
        saturated(OSError, lambda: graceful.os.scandir(FOLDER))
    """)
