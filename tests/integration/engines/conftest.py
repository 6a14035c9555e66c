"""The cluster that the tests of engines share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.engines.clusters import Cluster

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A scheduler and two workers on loopback."""
    pytest.importorskip("distributed", reason="fsworkers[dask] is not installed")
    with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        cluster.wait()
        yield cluster
