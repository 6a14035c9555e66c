"""Outcomes and runs of every kind, for the tests of the journal."""

from __future__ import annotations

import os

from hypothesis import strategies as st

from fsworkers.journal.record import RunRecord
from fsworkers.model import STATUSES, Outcome

PATHS = (
    st.lists(st.binary(max_size=3).filter(lambda name: b"\0" not in name), min_size=1, max_size=3)
    .map(b"/".join)
    .map(os.fsdecode)
)
"""Of few and short parts, so that directories and whole paths repeat; parts may be empty."""

NUMBERS = st.none() | st.integers(0, 2**63 - 1)
TIMES = st.none() | st.integers(-(2**63), 2**63 - 1)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
ANY_TEXT = st.none() | st.text(st.characters())
OUTCOMES = st.builds(
    Outcome,
    path=PATHS,
    status=st.sampled_from(STATUSES),
    value=JSON,
    error=ANY_TEXT,
    attempts=st.integers(0, 2),
    size=NUMBERS,
    duration_s=st.floats(0, 1e6),
    worker=NUMBERS,
    traceback=ANY_TEXT,
    mtime_ns=TIMES,
)


def a_run(name: str = "20260101T000000Z-00000a", **fields: object) -> RunRecord:
    """A run as it begins; its names are no UTF-8."""
    record: dict[str, object] = {
        "id": name,
        "cwd": "/\udcff",
        "argv": ("fsworkers", "process", "\udcfe"),
        "roots": ("\udcfe",),
        "options": None,
        "fingerprint": "f",
    }
    return RunRecord(**(record | fields))  # type: ignore[arg-type]
