"""How the process that somebody started grows with the number of files: it should not.

``python -m benchmarks.growth 500_000 2_000_000`` makes trees of so many names (hard links to one
small file, a thousand to a directory), goes through each by scan, by list and by generator, and
prints the peak of resident memory that the kernel kept.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

FILES_PER_DIRECTORY = 1000

GENERATOR = """
import sys
from fsworkers import Pool
with Pool(2) as pool:
    print(sum(1 for _ in pool.map(len, (f"{number:060}" for number in range(int(sys.argv[1]))))))
"""


def make_tree(root: Path, count: int) -> Path:
    """Make a tree of so many files, and beside it the list of their paths."""
    tree, listed = root / f"{count}", root / f"{count}.list"
    with listed.open("w") as paths:
        for number in range(count):
            folder = tree / f"{number // FILES_PER_DIRECTORY:06}"
            if number % FILES_PER_DIRECTORY == 0:
                folder.mkdir(parents=True)
                source = folder / "0"
                source.write_text("small")
            else:
                os.link(source, folder / f"{number % FILES_PER_DIRECTORY}")
            paths.write(f"{folder}/{number % FILES_PER_DIRECTORY}\n")
    return tree


def peak_megabytes(*arguments: str) -> int:
    """Run Python with these arguments; the peak of its memory, or of one of its workers."""
    child = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, arguments
    return usage.ru_maxrss // (1_000_000 if sys.platform == "darwin" else 1000)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("counts", type=int, nargs="+")
    command = ["-m", "fsworkers", "process", "-q", "-o"]
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        os.environ["XDG_STATE_HOME"] = str(root / "state")
        for count in parser.parse_args().counts:
            tree, output = make_tree(root, count), str(root / "out.jsonl")
            for how, peak in (
                ("scan", peak_megabytes(*command, output, str(tree))),
                ("list", peak_megabytes(*command, output, "--files-from", f"{tree}.list")),
                ("again, --changed", peak_megabytes(*command, output, "--changed", str(tree))),
                ("generator", peak_megabytes("-c", GENERATOR, str(count))),
            ):
                print(f"{count:>12,}  {how:<18}{peak:>6} MB", flush=True)


if __name__ == "__main__":
    main()
