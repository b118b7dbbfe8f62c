"""What only a Ray cluster has: nodes that are lost, and a package that may be missing."""

import sys
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import faulty
import pytest
from faulty import trained
from faulty_jobs import attempts, candidate, job

from kdzero_gp.errors import ConfigError
from kdzero_gp.execute.executors.ray import Ray

MORE_THAN_THE_FIRST_NODE_HAS = 5


def test_without_ray_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"Ray is not installed; install it by pip install 'kdzero-gp\[ray\]'"):
        Ray(1, faulty.make_nothing)  # type: ignore[arg-type]


def test_a_cluster_without_room_is_refused_at_once(ray_address: str) -> None:
    with pytest.raises(ConfigError, match="a worker needs 1 GPU, but the Ray cluster has 0 in all"):
        Ray(1, faulty.make_nothing, address=ray_address, gpus=1)  # type: ignore[arg-type]


def test_a_lost_node_costs_nothing_but_time(ray_cluster: Any, tmp_path: Path) -> None:
    """The node is a host's part in the cluster, with processes of its own: all of them are killed."""
    first = ray_cluster.add_node(num_cpus=MORE_THAN_THE_FIRST_NODE_HAS)
    factory: Any = partial(faulty.make, str(tmp_path))
    with closing(Ray(1, factory, address=ray_cluster.address, threads=MORE_THAN_THE_FIRST_NODE_HAS)) as executor:
        executor.submit(job("ok before"))
        assert executor.wait() == (0, (trained(candidate("ok before"), 0),))
        executor.submit(job("hang-once"))
        deadline = time.monotonic() + 300
        while not (tmp_path / "hang-once").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        ray_cluster.remove_node(first, allow_graceful=False)
        second = ray_cluster.add_node(num_cpus=MORE_THAN_THE_FIRST_NODE_HAS)
        try:
            assert executor.wait() == (1, (trained(candidate("hang-once"), 0),))
        finally:
            ray_cluster.remove_node(second, allow_graceful=False)
    assert attempts(tmp_path) == ["ok before", "hang-once", "hang-once"]
