"""Ask the registry whether what fsworkers needs to run has known vulnerabilities, by pip-audit.

Offline, or behind a mirror that keeps no such records, nothing can be said, and that is what it
says: only a known vulnerability is an error. Run by the interpreter whose packages are looked at.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import venv
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement


def needed(name: str) -> dict[str, str]:
    """What a distribution needs to run, at any remove, with the versions that are installed."""
    versions: dict[str, str] = {}
    waiting = [name]
    while waiting:
        for requirement in map(Requirement, distribution(waiting.pop()).requires or ()):
            is_wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            if is_wanted and requirement.name not in versions:
                versions[requirement.name] = distribution(requirement.name).version
                waiting.append(requirement.name)
    return versions


def report_on(versions: dict[str, str]) -> dict[str, Any]:
    """What pip-audit, installed for the moment, says of these packages.

    Raises:
        LookupError: It can't be had, or could not ask; the reason.
    """
    with tempfile.TemporaryDirectory() as directory:
        pinned = Path(directory, "pinned.txt")
        pinned.write_text("".join(f"{name}=={version}\n" for name, version in versions.items()))
        venv.create(directory, with_pip=True)
        scripts = Path(directory, "bin")
        answer_of([scripts / "pip", "install", "--quiet", "--retries=1", "pip-audit"], is_fine=(0,))
        ask = [scripts / "pip-audit", "-r", pinned, "--no-deps", "--disable-pip", "--format=json"]
        report: dict[str, Any] = json.loads(answer_of(ask, is_fine=(0, 1)) or "{}")
    if "dependencies" not in report:
        raise LookupError("no report")
    return report


def answer_of(command: list[str | Path], is_fine: tuple[int, ...]) -> str:
    """What a command writes to stdout.

    Raises:
        LookupError: It failed; the last thing that it said.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = done.stderr.strip().splitlines()
    if done.returncode not in is_fine or (done.returncode and not done.stdout):
        raise LookupError(said[-1] if said else f"exit code {done.returncode}")
    return done.stdout


def judged(report: dict[str, Any]) -> tuple[str, bool]:
    """What a report comes to, in words, and whether it is fine."""
    packages = report["dependencies"]
    told = [one for one in packages if "skip_reason" not in one]
    found = [
        f"{one['name']} {one['version']}: {fault['id']}, "
        f"mended in {', '.join(fault['fix_versions']) or 'no version yet'}"
        for one in told
        for fault in one["vulns"]
    ]
    if found:
        return "\n".join(["known vulnerabilities:", *found]), False
    if not told:
        return "known vulnerabilities: the registry here tells nothing of any package", True
    unknown = len(packages) - len(told)
    rest = f"; of {unknown} more the registry tells nothing" if unknown else ""
    return f"known vulnerabilities: none in {len(told)} packages{rest}", True


def main() -> int:
    """Look, tell, and return the exit code."""
    try:
        message, is_fine = judged(report_on(needed("fsworkers")))
    except LookupError as error:
        message, is_fine = f"known vulnerabilities could not be asked for: {error}", True
    print(message)
    return 0 if is_fine else 1


if __name__ == "__main__":
    sys.exit(main())
