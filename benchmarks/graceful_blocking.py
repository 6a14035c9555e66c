"""What the blocking face costs, as ratios to the builtin in the same run.

Usage: ``python benchmarks/graceful_blocking.py [FILES]``
"""

from __future__ import annotations

import sys
import tempfile
import timeit
from pathlib import Path
from typing import Any

from fsworkers import graceful

ROUNDS = 25


def best_of(*calls: Any, number: int) -> list[float]:
    """Seconds a call, the best of rounds that take turns so that both see the same machine."""
    times = [[timeit.timeit(call, number=number) for call in calls] for _ in range(ROUNDS)]
    return [min(column) / number for column in zip(*times, strict=True)]


def main(number: int) -> None:
    """Print a line a case."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "file"))
        Path(path).write_bytes(b"x" * 4096)
        buffer = bytearray(65536)
        budget = graceful.Budget(100)
        budget.take().give_back()

        def reading(opener: Any, mode: str) -> Any:
            def call() -> None:
                with opener(path, mode) as file:
                    file.read()

            return call

        def raw(opener: Any) -> Any:
            def call() -> None:
                with opener(path, "rb", buffering=0) as file:
                    file.readinto(buffer)

            return call

        (lending,) = best_of(lambda: budget.take_now().give_back(), number=number * 10)
        (nothing,) = best_of(lambda: None, number=number * 10)
        print(f"acquire + release            {(lending - nothing) * 1e6:.3f} µs (bar 0.6)")
        for name, make in (
            ("open 'rb' + read + close", lambda opener: reading(opener, "rb")),
            ("open 'r' + read + close", lambda opener: reading(opener, "r")),
            ("open raw + readinto + close", raw),
        ):
            builtin, ours = best_of(make(open), make(graceful.open), number=number)
            print(
                f"{name:28} {builtin * 1e6:.2f} µs builtin, {ours * 1e6:.2f} µs here: "
                f"x {ours / builtin:.3f} (bar 1.15)"
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3000)
