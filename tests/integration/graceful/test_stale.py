"""Permits whose descriptor or block went another way: closed by others, taken, abandoned."""

from __future__ import annotations


def test_a_number_taken_while_a_socket_is_closed_keeps_its_permit(limited) -> None:
    """Between the close and what follows it another thread may open the very number."""
    limited("""
        import socket
        taken = []
        real_close = socket.socket._real_close
        def close_and_lose_the_number(self, *arguments):
            number = self.fileno()
            real_close(self, *arguments)
            taken.append(graceful.os.open(FILE, os.O_RDONLY))
            assert taken == [number]
        socket.socket._real_close = close_and_lose_the_number
        made = graceful.socket.socket()
        made.close()
        assert lent() == 1, "the file's permit went back with the socket's"
        graceful.os.close(*taken)
        assert lent() == 0
    """)


def test_a_plain_file_brings_back_the_permit_of_a_number_closed_by_others(limited) -> None:
    """However it is opened: the number cannot be open for both."""
    limited("""
        from pathlib import Path
        from fsworkers.graceful import aio
        lost = []
        def lose():
            lost.append(graceful.os.open(FILE, os.O_RDONLY))
            os.close(lost[-1])
        def opener(name, flags):
            return os.open(name, flags)
        for arguments in ((FILE,), (Path(FILE),), (FILE, "r", -1, None, None, None, True, opener)):
            lose()
            with graceful.open(*arguments) as file:
                assert file.fileno() == lost[-1] and graceful.BUDGET.lent == 1
            assert graceful.BUDGET.lent == 0
        async def main():
            lose()
            async with aio.open(FILE) as file:
                assert file.fileno() == lost[-1] and graceful.BUDGET.lent == 1
            assert graceful.BUDGET.lent == 0
        asyncio.run(main())
    """)


def test_figures_do_not_count_what_others_closed(limited) -> None:
    """A number that is closed is nobody's, whether or not it was used again."""
    limited("""
        os.close(graceful.os.open(FILE, os.O_RDONLY))
        assert lent() == 0
    """)


def test_a_block_ended_in_another_context_gives_all_back(limited) -> None:
    """As an abandoned generator is, by the collector or by the loop."""
    limited("""
        import contextvars
        def numbers():
            with graceful.reserve(4):
                yield 1
        abandoned = numbers()
        contextvars.copy_context().run(next, abandoned)
        assert lent() == 4
        abandoned.close()
        assert lent() == 0 and not graceful.BUDGET.reservations
        async def more_numbers():
            async with graceful.reserve(3):
                yield 1
        async def use():
            async for _ in more_numbers():
                break
        async def main():
            await asyncio.create_task(use())
        asyncio.run(main())
        gc.collect()
        assert lent() == 0 and not graceful.BUDGET.reservations
    """)


def test_a_block_entered_twice_is_refused_and_loses_nothing(limited) -> None:
    """The second entry would forget the permits of the first."""
    limited("""
        async def twice(block):
            async with block:
                async with block:
                    pass
        def twice_blocking(block):
            with block, block:
                pass
        for attempt in (twice_blocking, lambda block: asyncio.run(twice(block))):
            block = graceful.reserve(2)
            try:
                attempt(block)
            except RuntimeError as error:
                assert "in force already" in str(error), error
            else:
                raise AssertionError("it was entered twice")
            assert lent() == 0 and not graceful.BUDGET.reservations
            with block:
                assert lent() == 2
    """)


def test_others_who_had_much_when_it_was_measured_are_not_held_against_the_budget(limited) -> None:
    """Before an operation is refused as too large it is measured anew."""
    limited("""
        others = [open(FILE) for _ in range(46)]
        assert graceful.statistics().capacity < 8
        for file in others: file.close()
        done = graceful.subprocess.run(["cat"], input=b"x", capture_output=True)
        assert done.stdout == b"x"
        try:
            with graceful.reserve(64): pass
        except graceful.BudgetTooSmall as error:
            assert error.budget > 40
        else:
            raise AssertionError("more than there is")
    """)
