"""``atomic=True``: the old file or the new, and nothing else about it changes."""

from __future__ import annotations

import os

import pytest

from tests.integration.graceful.test_refusals import as_root

WRITES = """
from fsworkers.graceful import aio
def write(path, data=b"new"):
    written = asyncio.run(aio.write_bytes(path, data, atomic=True))
    assert written == len(data) and lent() == 0
def write_text(path, text):
    written = asyncio.run(aio.write_text(path, text, atomic=True))
    assert written == len(text) and lent() == 0
def content(path):
    with open(path, "rb") as file:
        return file.read()
folder = os.fsencode(FOLDER)
"""


def script(text: str) -> str:
    """A script with the functions above before it."""
    return WRITES.replace("\n", "\n" + " " * 8) + text


@pytest.mark.parametrize(
    "name", [b"n" * 255, "ä".encode() * 127, "💾".encode() * 63 + b"abc", b"\xff" * 255, b"-\n"]
)
def test_any_name_that_a_file_can_have(limited, name: bytes) -> None:
    """Of 255 bytes in one, two and four bytes a character, and none that is UTF-8."""
    limited(
        script(f"""
        path = os.path.join(folder, {name!r})
        for path in (path, os.fsdecode(path)):
            for data in (b"old", b"newer"):
                write(path, data)
                assert content(path) == data and len(os.listdir(FOLDER)) == 1
        """)
    )


def test_a_fifo_is_written_to(limited) -> None:
    """It stays one, and its reader gets the data."""
    limited(
        script("""
        path = FOLDER + "/fifo"
        os.mkfifo(path)
        found = []
        reading = threading.Thread(target=lambda: found.append(content(path)))
        reading.start()
        write_text(path, "new")
        reading.join(5)
        assert found == [b"new"] and os.listdir(FOLDER) == ["fifo"]
        import stat
        assert stat.S_ISFIFO(os.stat(path).st_mode)
        """)
    )


def test_devices_and_folders_stay(limited) -> None:
    """A device takes the data, ``/dev/stdout`` passes it on, a folder is refused by its name."""
    output = limited(
        script("""
        before = os.stat(os.devnull)
        write(os.devnull)
        assert os.stat(os.devnull).st_rdev == before.st_rdev
        write("/dev/stdout", b"said")
        try:
            write(FOLDER)
        except IsADirectoryError as error:
            assert error.filename == FOLDER
        else:
            raise AssertionError("it wrote")
        assert os.listdir(FOLDER) == []
        """)
    )
    assert output == "said"


def test_a_link_is_followed(limited) -> None:
    """Through two of them to the file, into another folder; a dangling one makes its file."""
    limited(
        script("""
        os.mkdir(FOLDER + "/real")
        real = FOLDER + "/real/file"
        os.symlink("real/file", FOLDER + "/one")
        os.symlink("one", FOLDER + "/two")
        for data in (b"first", b"second"):
            write(FOLDER + "/two", data)
            assert content(real) == data and not os.path.islink(real)
            assert os.readlink(FOLDER + "/two") == "one"
        assert os.listdir(FOLDER + "/real") == ["file"]
        """)
    )


@pytest.mark.parametrize("mode", [0o640, 0o600, 0o444, 0o4755])
def test_permissions_stay(limited, mode: int) -> None:
    """Those of the file that was there; a new one gets what ``open`` would give it."""
    limited(
        script(f"""
        os.umask(0o027)
        write(FOLDER + "/new")
        assert os.stat(FOLDER + "/new").st_mode & 0o7777 == 0o640
        os.chmod(FILE, {mode})
        write(FILE)
        assert os.stat(FILE).st_mode & 0o7777 == {mode} and content(FILE) == b"new"
        """)
    )


@as_root
def test_the_owner_stays_where_that_may_be(limited, shared: str) -> None:
    """Root keeps it; someone else keeps the group he is in, and gives no right to run as him."""
    os.chmod(shared, 0o777)
    limited(
        script(f"""
        path = {shared!r} + "/file"
        with open(path, "wb") as file: file.write(b"old")
        os.chown(path, 1234, 5678)
        os.chmod(path, 0o6775)
        write(path)
        found = os.stat(path)
        assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (1234, 5678, 0o6775)
        os.chdir("/")
        os.setgroups([5678]); os.setgid(65534); os.setuid(65534)
        write(path, b"newer")
        found = os.stat(path)
        assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (65534, 5678, 0o775)
        """)
    )


def test_a_failure_leaves_the_old_file_and_nothing_else(limited) -> None:
    """And the error names the file that was asked for."""
    limited(
        script("""
        for path in (FOLDER + "/missing/file", FOLDER + "/" + "n" * 256):
            try:
                write(path)
            except OSError as error:
                assert error.filename == path, error
            else:
                raise AssertionError("it wrote")
        try:
            write_text(FILE, "\\udcff")
        except UnicodeEncodeError:
            pass
        assert content(FILE) == b"x" * 4096 and os.listdir(FOLDER) == []
        assert sorted(os.listdir(os.path.dirname(FILE))) == ["file", "folder"] and lent() == 0
        """)
    )


def test_a_name_that_open_refuses_is_refused(limited) -> None:
    """A folder's, one by way of what is not there, and none at all; nothing is made."""
    limited("""
        from fsworkers.graceful import aio
        os.chdir(FOLDER)
        async def told(path, **options):
            try:
                await aio.write_bytes(path, b"new", **options)
            except OSError as error:
                return type(error), error.errno, error.filename
            raise AssertionError(path)
        async def main():
            for path in ("new/", "nowhere/../new", "nowhere/new", "", b"new/", b"nowhere/../new"):
                assert await told(path, atomic=True) == await told(path), path
                assert os.listdir(".") == os.listdir(b".") == [] and lent() == 0
        asyncio.run(main())
    """)


@pytest.mark.skipif(not os.path.exists("/dev/fd"), reason="descriptors have no paths here")
def test_a_file_without_a_name_is_written_to(limited) -> None:
    """By the path of its descriptor, which leads to no name that another file could take."""
    limited(
        script("""
        import tempfile
        with tempfile.TemporaryFile(dir=FOLDER) as temporary, open(FILE, "w+b") as gone:
            os.unlink(FILE)
            for file in (temporary, gone):
                before = os.listdir(FOLDER), os.listdir(os.path.dirname(FILE))
                write(f"/dev/fd/{file.fileno()}")
                write_text(f"/proc/self/fd/{file.fileno()}", "newer")
                file.seek(0)
                assert file.read() == b"newer"
                assert before == (os.listdir(FOLDER), os.listdir(os.path.dirname(FILE)))
        """)
    )


@as_root
def test_a_folder_that_may_not_be_written_to_is_named_as_by_open(limited) -> None:
    """One file is concerned, not two."""
    limited(
        script("""
        import tempfile
        folder = tempfile.mkdtemp(dir="/tmp")  # the others are closed to everybody else
        os.chmod(folder, 0o555)
        os.chdir(folder)
        os.seteuid(65534)
        try:
            write("new")
        except PermissionError as error:
            assert str(error) == "[Errno 13] Permission denied: 'new'", error
        else:
            raise AssertionError("it was written")
        finally:
            os.seteuid(0)
            os.rmdir(folder)
        """)
    )
