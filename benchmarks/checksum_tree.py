"""The whole command against ``xargs sha256sum``: start-up, scan, reading, results written.

    python -m benchmarks.checksum_tree [--files 100000] [--size 4096] [--rounds 5]

Both run over the same warm tree in turn, A B A B …; the ratio is taken pair by pair, because the
speed of a shared machine drifts.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks.trees import make_tree


def seconds_of(command: list[str]) -> float:
    """Wall time of one run."""
    began = perf_counter()
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return perf_counter() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    command = shutil.which("fsworkers", path=str(Path(sys.executable).parent)) or "fsworkers"
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_tree(root / "tree", asked.files, asked.size)
        ours = [command, "process", str(root / "tree"), "-o", str(root / "out.jsonl")]
        peer = [
            "sh",
            "-c",
            'find "$0" -type f -print0 | xargs -0 -P2 -n500 sha256sum > "$1"',
            str(root / "tree"),
            str(root / "out.sha256"),
        ]
        seconds_of(peer), seconds_of(ours)
        pairs = [(seconds_of(ours), seconds_of(peer)) for _ in range(asked.rounds)]
        written = len((root / "out.jsonl").read_bytes().splitlines())
    print(f"{asked.files} files of {asked.size} bytes, {asked.rounds} rounds, {written} results")
    print(f"fsworkers process   {median(a for a, _ in pairs):6.2f} s")
    print(f"xargs -P2 sha256sum {median(b for _, b in pairs):6.2f} s")
    ratios = sorted(a / b for a, b in pairs)
    print(f"ratio               {median(ratios):6.2f}   ({ratios[0]:.2f} to {ratios[-1]:.2f})")


if __name__ == "__main__":
    main()
