"""When workers are killed, and how low a limit sinks."""

from __future__ import annotations

from itertools import islice, pairwise

from hypothesis import given
from hypothesis import strategies as st

from fsworkers.stress.faults import FIRST_S, Attacker, schedule, squeezed
from fsworkers.stress.model import Plan
from fsworkers.stress.scenarios.registry import BY_NAME, Load

LOAD = Load(lambda _context, _op: None, 1, kills=3, stops=2, every_s=0.5)
REFUSED = BY_NAME["kernel-refuses"].load(Plan())


@given(st.integers())
def test_the_seed_decides_when_and_what(seed: int) -> None:
    """The same seed gives the same faults, in order, and as many as asked for."""
    planned = list(schedule(LOAD, seed, is_endless=False))
    assert planned == list(schedule(LOAD, seed, is_endless=False))
    assert [at_s for at_s, _ in planned] == sorted(at_s for at_s, _ in planned)
    assert planned[0][0] == FIRST_S
    assert sorted(kind for _, kind in planned) == ["kill"] * 3 + ["stop"] * 2


def test_in_a_long_run_they_go_on() -> None:
    """An endless schedule keeps its rhythm."""
    planned = list(islice(schedule(LOAD, 1, is_endless=True), 50))
    gaps = [later[0] - earlier[0] for earlier, later in pairwise(planned)]
    assert min(gaps) > 0.3
    assert max(gaps) < 0.7


def test_without_faults_nothing_is_planned() -> None:
    """Not even in a long run."""
    assert list(schedule(LOAD._replace(kills=0, stops=0), 1, is_endless=True)) == []


def test_what_was_not_injected_is_said() -> None:
    """With the reasons that there may be."""
    attacker = Attacker(REFUSED, Plan(), lambda _: None)
    attacker.act(0.0, {})
    attacker.stop()
    assert "limit lowered 0 times, where it can be (prlimit);" in attacker.injected
    assert "ENFILE not injected: over too soon" in attacker.injected


@given(st.integers(30, 4096), st.floats(0, 1))
def test_a_refusing_kernel_leaves_room_for_an_event_loop(limit: int, draw: float) -> None:
    """Beside what a worker has of its own and the layer's reserve of four, three are left."""
    assert REFUSED.spares is not None
    assert squeezed(limit, 18, REFUSED.spares, draw) - 18 - 4 >= 3


@given(
    st.integers(16, 100_000),
    st.integers(0, 15),
    st.floats(0, 1),
    st.floats(0, 1, exclude_max=True),
)
def test_a_lowered_limit_leaves_what_is_to_be_spared(
    limit: int, own: int, spares: float, draw: float
) -> None:
    """Never below what a worker has of its own and the share; no lower if that is all."""
    low = squeezed(limit, own, spares, draw)
    least = own + max(1, int(limit * spares))
    assert low > own
    assert low >= least if least <= limit else low >= limit
