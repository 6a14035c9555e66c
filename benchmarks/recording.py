"""The recording in the README: commands as they are typed, with what they say, as an SVG.

``python -m benchmarks.recording docs/recording.svg``
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

FILES = 60_000
SIZE = 20_000

SCENES = [
    ("A run, killed in the midst of it, goes on where it was:", [
        "timeout -s KILL 0.7 fsworkers process photos -o photos.sha256; ls photos.sha256*",
        "fsworkers resume",
        "sha256sum --check --quiet photos.sha256 && echo all as they are",
    ]),
    ("Which are there twice, and what would it save?", [
        "fsworkers process photos -t duplicates -o twice.db",
    ]),
    ("Any command; what is made is made once:", [
        "fsworkers process photos/0 -k --tag -x wc -c 2> /dev/null | head -n 2",
        "fsworkers process photos/1 -x cp {} {out} --to 'kept/{rel}'",
        "fsworkers process photos/1 -x cp {} {out} --to 'kept/{rel}'",
    ]),
]  # fmt: skip


def make_tree(place: Path) -> None:
    """Pictures, as far as their names go; one in ten is there twice."""
    content = os.urandom(SIZE + FILES)
    for number in range(FILES):
        folder = place / "photos" / str(number % 60)
        folder.mkdir(parents=True, exist_ok=True)
        start = number - 1 if number % 10 == 9 else number
        (folder / f"{number:05}.jpg").write_bytes(content[start : start + SIZE])


def main(target: str) -> None:
    """Run the scenes, and write what they say."""
    console = Console(record=True, width=100, file=open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    scripts = Path(sys.executable).parent
    with tempfile.TemporaryDirectory() as place:
        make_tree(Path(place))
        environment = os.environ | {
            "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
            "XDG_STATE_HOME": f"{place}/state",
        }
        for title, commands in SCENES:
            console.print(Text(f"# {title}", style="dim"))
            for command in commands:
                done = subprocess.run(
                    ["bash", "-c", command], cwd=place, capture_output=True, text=True, check=False,
                    env=environment,
                )  # fmt: skip
                console.print(Text.assemble(("$ ", "green"), (command, "bold")))
                said = re.sub(r"bash: line.*Killed.*", "Killed", done.stderr) + done.stdout
                console.print(Text(said.rstrip()))
            console.print()
    Path(target).write_text(console.export_svg(title="fsworkers"), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
