"""Walking and removing trees: what is found, what is told and what is left is the standard's."""

from __future__ import annotations

AS_A_PLAIN_USER = """
import shutil, stat
for name in ("os", "shutil"): getattr(graceful, name)
shutil.rmtree(FOLDER); os.mkdir(FOLDER)
next(graceful.os.fwalk(FOLDER))  # loads what it takes: as that user it may be out of reach
from fsworkers.graceful import aio
os.chmod(FOLDER, 0o777)
os.chdir(FOLDER)
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
"""


def script(text: str, before: str = AS_A_PLAIN_USER) -> str:
    """A script that begins with another, as deeply indented."""
    return before.replace("\n", "\n" + " " * 8) + text


def test_a_folder_that_may_be_read_and_not_entered(limited) -> None:
    """There is no way back up out of it but the one that was kept."""
    limited(
        script("""
        def made(top):
            os.makedirs(top + "/a/b"); os.makedirs(top + "/a/c")
            os.chmod(top + "/a/b", 0o444)
            return top
        for ignore in (True, False):
            for number, rmtree in enumerate((shutil.rmtree, graceful.shutil.rmtree)):
                rmtree(made(f"{number}{ignore}"), ignore_errors=ignore)
        assert os.listdir() == []
        made("top")
        for options in ({}, {"topdown": False}, {"follow_symlinks": True}):
            def found(fwalk):
                return [found[:3] for found in fwalk("top", onerror=print, **options)]
            assert found(graceful.os.fwalk) == found(os.fwalk)
        assert lent() == 0
    """)
    )


def test_a_link_put_in_the_place_of_a_folder_is_not_followed(limited) -> None:
    """The caller has its turn with the folder before it is entered."""
    limited("""
        for number, walk in enumerate((os.walk, graceful.os.walk, graceful.os.fwalk)):
            base = f"{FOLDER}/{number}"
            os.makedirs(base + "/top/one"); os.makedirs(base + "/elsewhere/below")
            seen = []
            for path, *_ in walk(base + "/top"):
                seen.append(path)
                if path == base + "/top":
                    os.rmdir(path + "/one")
                    os.symlink(base + "/elsewhere", path + "/one")
            assert seen == [base + "/top"], seen
    """)


def test_fwalk_of_a_top_that_is_missing_or_no_folder(limited) -> None:
    """The same errors come out, or nothing does."""
    limited("""
        os.symlink(FOLDER, FILE + "-link")
        def outcome(fwalk, top, follow):
            told = []
            try:
                found = [one[:3] for one in fwalk(top, True, told.append, follow_symlinks=follow)]
            except Exception as error:
                return type(error), told
            return found, told
        for top in (FILE + "-missing", FILE, FILE + "-link", FOLDER):
            for follow in (True, False):
                expected = outcome(os.fwalk, top, follow)
                assert outcome(graceful.os.fwalk, top, follow) == expected, (top, expected)
        assert lent() == 0
    """)
