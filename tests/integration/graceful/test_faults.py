"""Faults injected by strace into real system calls."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def can_trace() -> bool:
    """Whether strace is here and may trace."""
    if shutil.which("strace") is None:
        return False
    probe = ["strace", "-qq", "-o", "/dev/null", "-e", "trace=openat", "true"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not can_trace(), reason="strace is not here or may not trace")


def inject(path: Path, fault: str, call: str = "openat") -> tuple[str, ...]:
    """The strace command that makes some calls on a path fail."""
    options = ["-e", f"trace={call}", "-e", f"inject={call}:{fault}"]
    return ("strace", "-qq", "-f", "-o", "/dev/null", "-P", str(path), *options)


@pytest.mark.parametrize("error", ["EMFILE", "ENFILE"])
def test_a_refusal_by_the_kernel_is_waited_out(limited, tmp_path: Path, error: str) -> None:
    """Every few opens refused, in both faces: nothing fails, and the statistics tell."""
    limited(
        f"""
        from fsworkers.graceful import aio
        for _ in range(12):
            with graceful.open(FILE, "rb") as file:
                assert len(file.read()) == 4096
        async def main():
            for _ in range(6):
                async with aio.open(FILE, "rb") as file:
                    assert len(await file.read()) == 4096
                assert len(await aio.read_bytes(FILE)) == 4096
        asyncio.run(main())
        seen = graceful.statistics()
        assert seen.refused >= 3 and seen.lent == 0, seen
        assert seen.refused_machine == (seen.refused if {error!r} == "ENFILE" else 0), seen
    """,
        wrapper=inject(tmp_path / "file", f"error={error}:when=2+7"),
    )


def test_refusals_in_a_row_are_waited_out_by_many(limited, tmp_path: Path) -> None:
    """Threads that are all refused a few times in a row all get their file."""
    limited(
        """
        def read(number):
            for _ in range(3):
                with graceful.open(FILE, "rb") as file:
                    assert len(file.read()) == 4096
        in_threads(read, 8)
        assert lent() == 0 and graceful.statistics().refused >= 8
    """,
        wrapper=inject(tmp_path / "file", "error=EMFILE:when=1..3"),
    )


def test_an_interrupted_close_closes_once(limited, tmp_path: Path) -> None:
    """EINTR from close is no error, and the number is not closed again."""
    limited(
        """
        file = graceful.open(FILE, "rb")
        file.close()
        assert file.closed and lent() == 0
        number = graceful.os.open(FILE, os.O_RDONLY)
        graceful.os.close(number)
        assert lent() == 0
    """,
        wrapper=inject(tmp_path / "file", "error=EINTR", "close"),
    )


def test_an_interrupted_close_loses_nothing_of_a_whole_file(limited, tmp_path: Path) -> None:
    """What was read or written in one hop stands."""
    limited(
        """
        from fsworkers.graceful import aio
        async def main():
            assert await aio.read_bytes(FILE) == b"x" * 4096
            assert await aio.read_text(FILE) == "x" * 4096
            assert await aio.write_bytes(FILE, b"new") == 3
            assert await aio.write_text(FILE, "newer") == 5
            async with aio.open(FILE, "rb") as file:
                assert await file.read() == b"newer"
        asyncio.run(main())
        assert lent() == 0
    """,
        wrapper=inject(tmp_path / "file", "error=EINTR", "close"),
    )


def test_a_refused_connection_is_waited_for_no_longer_than_told(limited) -> None:
    """What is left of the socket's time-out, or the budget's own longest wait if that ends sooner.

    The kernel refuses each ``accept``; afterwards nothing is lent, and the connection is still
    there to be let in. However often that is tried, it is no deadlock: each gives up in time.
    """
    refuse = ("-e", "trace=accept4", "-e", "inject=accept4:error=EMFILE")
    limited(
        """
        import _socket
        with graceful.socket.create_server(("127.0.0.1", 0)) as listener:
            caller = _socket.socket(_socket.AF_INET)
            caller.connect(listener.getsockname())
            for own_s, longest_s, kind in [
                (0.3, None, TimeoutError), (0.3, 20, TimeoutError),
                (None, 0.3, graceful.BudgetTimeout), (20, 0.3, graceful.BudgetTimeout),
            ] * 3:
                graceful.configure(wait_s=longest_s)
                listener.settimeout(own_s)
                begun_s = time.monotonic()
                try:
                    listener.accept()
                except TimeoutError as error:
                    assert type(error) is kind, repr(error)
                    assert 0.3 <= time.monotonic() - begun_s < 5
                else:
                    raise AssertionError("it came in")
                assert lent() == 1, lent()
            assert graceful.statistics().refused > 4
            caller.close()
        """,
        wrapper=("strace", "-qq", "-f", "-o", "/dev/null", *refuse),
    )


def test_a_file_that_cannot_seek_is_read_all_the_same(limited, tmp_path: Path) -> None:
    """As some of FUSE and of the kernel's own files: nothing that was read is lost."""
    file = tmp_path / "file"
    limited(
        """
        with open(FILE, "wb") as file:
            file.write(bytes(range(200)) * 1000)
        for _ in range(2):
            with graceful.open(FILE, "rb") as file:
                assert file.read() == bytes(range(200)) * 1000
        assert lent() == 0
        """,
        wrapper=inject(file, "error=ESPIPE", "lseek"),
    )
