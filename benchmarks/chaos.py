"""What a pool survives: seeded kills, stops, injected errors and slow jobs over a generated tree.

    python -m benchmarks.chaos [--seeds 20] [--first 0] [--files 300]

Each seed is one run in a process of its own, with a deadline. Every file's name says how its job
behaves; meanwhile somebody kills and stops workers at random. Afterwards each file must have
exactly one outcome, the one that its behaviour deserves, and no process, descriptor or socket file
may be left. The table at the end is the one in docs/reliability.md.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil

from fsworkers import Pool, RetryLater, Skip

DEADLINE_S = 120
TIMEOUT_S = 1.0
MAX_DEATHS = 6

MAX_ATTACKS_IN_A_ROW = 2

BEHAVIOURS = {
    "quick": 400,
    "slow": 30,
    "raise": 20,
    "busy-once": 20,
    "later-once": 10,
    "starved-once": 10,
    "skip": 10,
    "large": 5,
    "unpicklable": 5,
    "hang": 1,
    "hang-in-c": 1,
    "stop": 1,
    "segfault": 1,
    "exit": 1,
    "killed": 1,
}
"""How often each behaviour is drawn."""

DESERVED = {
    "raise": {"failed"},
    "unpicklable": {"failed"},
    "skip": {"skipped"},
    "hang": {"timed_out", "crashed"},
    "hang-in-c": {"timed_out", "crashed"},
    "stop": {"timed_out", "crashed"},
    "segfault": {"crashed"},
    "exit": {"crashed"},
    "killed": {"crashed"},
}
"""The outcomes that are right; ``done`` for all others.

A job that never ends is ``crashed`` if its worker is killed often enough before its time is up.
"""


def behave(path: str) -> object:
    """The task: does what the file's name says."""
    kind = Path(path).name.split(".")[1]
    if kind.endswith("-once"):
        return fail_once(path, kind)
    actions = {
        "slow": lambda: time.sleep(random.uniform(0.01, 0.1)),  # noqa: TID251
        "hang": lambda: time.sleep(600),  # noqa: TID251
        "hang-in-c": lambda: ctypes.PyDLL(None).sleep(600),
        "stop": lambda: os.kill(os.getpid(), signal.SIGSTOP),
        "segfault": lambda: ctypes.string_at(0),
        "exit": lambda: os._exit(7),
        "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
        "large": lambda: bytes(8 << 20),
        "unpicklable": threading.Lock,
    }
    if kind == "raise":
        raise ValueError(path)
    if kind == "skip":
        raise Skip("told to")
    result = actions[kind]() if kind in actions else len(Path(path).read_bytes())
    return len(result) if kind == "large" else result


def fail_once(path: str, kind: str) -> str:
    """Fail the first time that this file is seen."""
    marker = Path(f"{path}.seen")
    if marker.exists():
        return kind
    marker.touch()
    if kind == "later-once":
        raise RetryLater(0.1)
    number = errno.EBUSY if kind == "busy-once" else errno.EMFILE
    raise OSError(number, os.strerror(number), path)


class Attacker(threading.Thread):
    """Kills and stops workers of this process at random moments.

    It lets one get ready now and then: a pool whose workers are always killed before gives up, and
    is right to. On a busy machine a start can take longer than it is from attack to attack.

    Args:
        chance: Decides when, whom and how.
        meeting_places: Where each worker that is not ready yet has a directory.
    """

    def __init__(self, chance: random.Random, meeting_places: Path) -> None:
        super().__init__(daemon=True)
        self.attacks: Counter[str] = Counter()
        self._chance = chance
        self._meeting_places = meeting_places
        self._attacks_in_a_row = 0
        self._is_over = threading.Event()

    def run(self) -> None:
        """Attack until told to end."""
        while not self._is_over.wait(self._chance.uniform(0.05, 0.6)):
            workers = [child for child in psutil.Process().children() if _is_worker(child)]
            if len(workers) > len(list(self._meeting_places.iterdir())):
                self._attacks_in_a_row = 0  # one of them is ready
            if workers and self._attacks_in_a_row < MAX_ATTACKS_IN_A_ROW:
                number = self._chance.choice([signal.SIGKILL] * 4 + [signal.SIGSTOP])
                with suppress(psutil.NoSuchProcess):
                    self._chance.choice(workers).send_signal(number)
                self.attacks[number.name] += 1
                self._attacks_in_a_row += 1

    def end(self) -> None:
        """Leave the workers alone."""
        self._is_over.set()
        self.join()


def _is_worker(process: psutil.Process) -> bool:
    try:
        return "fsworkers.pool.worker" in process.cmdline()
    except psutil.Error:
        return False  # it has just ended


def survive(seed: int, files: int) -> dict[str, object]:
    """One run; returns what happened, with ``broken`` naming the invariants that do not hold."""
    chance = random.Random(seed)
    kinds = chance.choices(list(BEHAVIOURS), list(BEHAVIOURS.values()), k=files)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        sockets = Path(folder, "sockets")
        sockets.mkdir()
        tempfile.tempdir = str(sockets)
        paths = [str(Path(folder, f"{number}.{kind}")) for number, kind in enumerate(kinds)]
        for path in paths:
            Path(path).write_bytes(os.urandom(chance.randrange(10_000)))
        descriptors = len(os.listdir("/proc/self/fd"))
        attacker = Attacker(chance, sockets)
        attacker.start()
        workers = chance.randint(1, 4)
        with Pool(workers, timeout=TIMEOUT_S, retries=2, max_deaths=MAX_DEATHS) as pool:
            outcomes = list(pool.map(behave, paths, ordered=chance.random() < 0.5))
            attacker.end()
            figures = pool.statistics()
        left = psutil.Process().children(recursive=True)
        broken = [
            f"{outcome.path}: {outcome.status} ({outcome.error})"
            for outcome in outcomes
            if outcome.status not in DESERVED.get(outcome.path.rsplit(".")[-1], {"done"})
        ]
        if Counter(outcome.path for outcome in outcomes) != Counter(paths):
            broken.append("not every file has exactly one outcome")
        if left:
            broken.append(f"left running: {left}")
        if list(sockets.iterdir()):
            broken.append(f"left on disk: {list(sockets.iterdir())}")
        if len(os.listdir("/proc/self/fd")) != descriptors:
            broken.append("descriptors left open")
        tempfile.tempdir = None
    return {
        "seed": seed,
        "files": files,
        "seconds": round(time.monotonic() - began, 1),
        "attacks": dict(attacker.attacks),
        "restarts": figures.restarts,
        "retries": figures.retries,
        "outcomes": dict(Counter(outcome.status for outcome in outcomes)),
        "broken": broken,
    }


def survive_elsewhere(seed: int, files: int) -> dict[str, object]:
    """The same in a process of its own, which must end in bounded time."""
    command = [sys.executable, "-m", "benchmarks.chaos", "--one", str(seed), "--files", str(files)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=DEADLINE_S, check=True)
    except subprocess.TimeoutExpired:
        return {"seed": seed, "files": files, "broken": [f"not ended after {DEADLINE_S} s"]}
    except subprocess.CalledProcessError as error:
        return {"seed": seed, "files": files, "broken": [error.stderr.decode()[-2000:]]}
    record: dict[str, object] = json.loads(done.stdout)
    return record


def table(records: list[dict[str, object]]) -> str:
    """What was survived, in Markdown."""
    totals: Counter[str] = Counter()
    for record in records:
        totals["files found"] += record["files"]  # type: ignore[operator]
        for name in ("attacks", "outcomes"):
            for what, count in record.get(name, {}).items():  # type: ignore[attr-defined]
                totals[f"{what} from outside" if name == "attacks" else what] += count
        totals["workers replaced"] += record.get("restarts", 0)  # type: ignore[operator]
        totals["attempts repeated"] += record.get("retries", 0)  # type: ignore[operator]
    lines = ["| what | count |", "| --- | ---: |", f"| runs | {len(records)} |"]
    lines += [f"| {what} | {count:,} |" for what, count in totals.items()]
    lines.append(f"| runs with a broken invariant | {sum(bool(r['broken']) for r in records)} |")
    return "\n".join(lines)


def main() -> None:
    """Run the seeds and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--files", type=int, default=300)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one is not None:
        print(json.dumps(survive(asked.one, asked.files)))
        return
    records = []
    for seed in range(asked.first, asked.first + asked.seeds):
        record = survive_elsewhere(seed, asked.files)
        records.append(record)
        print(f"seed {seed}: {record.get('seconds')} s, {record['broken'] or 'held'}", flush=True)
    print(table(records))
    if any(record["broken"] for record in records):
        sys.exit("an invariant is broken; repeat with --first SEED --seeds 1")


if __name__ == "__main__":
    main()
