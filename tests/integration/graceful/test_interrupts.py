"""Exceptions that strike from outside, at the worst moment, and waits at the interpreter's end."""

from __future__ import annotations

import pytest

STRIKE = """
import signal
class Struck(BaseException): pass
def strike_before(function, line):
    \"\"\"Raise once, before a line of a function that begins with those words.\"\"\"
    import linecache
    def trace(frame, event, arg):
        return here if frame.f_code is function.__code__ else None
    def here(frame, event, arg):
        text = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
        if event == "line" and text.startswith(line):
            sys.settrace(None)
            raise Struck
        return here
    linecache.checkcache()
    sys.settrace(trace)
"""


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("grant", "self._leave(waiter"),
        ("grant", "self.served"),
        ("grant", "self._tidy"),
        ("_leave", "waiter.state"),
        ("_leave", "self.waiting"),
    ],
)
def test_who_is_served_is_woken_though_an_interrupt_strikes(limited, name: str, line: str) -> None:
    """Whoever gives back does the serving, and may be struck in the midst of it."""
    limited(f"""
        {STRIKE.replace(chr(10), chr(10) + " " * 8)}
        from fsworkers.graceful.budget.line import Line
        graceful.configure(1)
        file = graceful.open(FILE)
        opened = threading.Event()
        def want():
            graceful.open(FILE).close()
            opened.set()
        thread = threading.Thread(target=want)
        thread.start()
        wait_for(lambda: graceful.statistics().waiting == 1)
        strike_before(Line.{name}, {line!r})
        with contextlib.suppress(Struck):
            file.close()
        sys.settrace(None)
        del file
        assert opened.wait(5)
        thread.join()
        seen = graceful.statistics()
        assert (seen.lent, seen.waiting) == (0, 0), seen
        graceful.open(FILE).close()
    """)


@pytest.mark.parametrize("when", ["an exit handler", "a finalizer"])
def test_a_wait_at_the_interpreters_end_comes_to_its_own(limited, when: str) -> None:
    """From Python 3.12 on no thread can be started then that would look after the line."""
    told = limited(f"""
        import atexit
        graceful.configure(3)
        kept = sys.kept = [graceful.open(FILE) for _ in range(3)]
        def last(kept=kept, path=FILE, open=graceful.open, write=os.write):
            with open(path) as file:
                write(1, b"%d" % len(file.read()))
            for one in kept: one.close()
        class Last:
            def __del__(self, last=last): last()
        if {when == "an exit handler"}:
            atexit.register(last)
        else:
            one = Last()
    """)
    assert told == "4096"
