"""What waiting costs."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("kind", ["coroutines", "threads"])
def test_a_thousand_who_wait_for_an_idle_holder_cost_nothing(limited, kind: str) -> None:
    """A measured budget looks for deadlocks too, but seldom when it has found nothing."""
    limited(f"""
        from fsworkers.graceful import aio
        graceful.configure()
        held = [graceful.open(FILE) for _ in range(graceful.statistics().capacity)]
        def rest():
            begun_s = time.process_time()
            threading.Event().wait(5)
            return time.process_time() - begun_s
        async def main():
            tasks = [asyncio.ensure_future(aio.read_bytes(FILE)) for _ in range(1000)]
            await asyncio.sleep(0.5)
            used_s = await asyncio.to_thread(rest)
            for file in held: file.close()
            await asyncio.gather(*tasks)
            return used_s
        if {kind!r} == "coroutines":
            used_s = asyncio.run(main())
        else:
            open_one = lambda: graceful.open(FILE).close()
            threads = [threading.Thread(target=open_one) for _ in range(1000)]
            for thread in threads: thread.start()
            threading.Event().wait(0.5)
            used_s = rest()
            for file in held: file.close()
            for thread in threads: thread.join()
        assert used_s < 0.1, (used_s, graceful.statistics())
    """)
