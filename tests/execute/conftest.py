"""Executors over an evaluator to which everything happens, and primitives from a file as real workers load them."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
import torch

from kdzero_gp.execute.executors.inprocess import InProcess
from kdzero_gp.execute.executors.processes import Processes
from kdzero_gp.execute.protocol import Executor

FOLDER = str(Path(__file__).resolve().parent)
if FOLDER not in sys.path:
    sys.path.insert(0, FOLDER)  # test folders are no packages, and workers have to find `faulty`

PRIMITIVES = '''
"""Distances that go wrong in the worker that computes them."""

import os
import signal

from kdzero_gp import Vector, distance


def squared(student, teacher):
    return (student - teacher).square().mean(1)


@distance(Vector)
def mine(student, teacher):
    print("a primitive that talks")
    return squared(student, teacher)


@distance(Vector)
def deadly(student, teacher):
    if len(student) > 8:
        os.kill(os.getpid(), signal.SIGKILL)
    return squared(student, teacher)


@distance(Vector)
def faulty(student, teacher):
    if len(student) > 8:
        raise ZeroDivisionError("by design")
    return squared(student, teacher)
'''


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _shared_cache(teacher_cache: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDZERO_GP_CACHE", teacher_cache)


@pytest.fixture(scope="session")
def primitive_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("primitives") / "worker_ops.py"
    path.write_text(PRIMITIVES)
    return path


Noted = tuple[Executor, Path]


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[Any]:
    """A cluster on this machine, one for all tests."""
    ray = pytest.importorskip("ray")
    cluster_utils = pytest.importorskip("ray.cluster_utils")
    room = {"num_cpus": 4, "object_store_memory": 200 * 2**20, "include_dashboard": False}
    cluster = cluster_utils.Cluster(initialize_head=True, head_node_args=room)
    ray.init(address=cluster.address, log_to_driver=False)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture(scope="session")
def ray_address(ray_cluster: Any) -> str:
    """Where the cluster is."""
    return str(ray_cluster.address)


def make_executor(kind: str, request: Any, notes: Path) -> Executor:
    import faulty
    from faulty_jobs import FaultyDeadlines

    deadlines = FaultyDeadlines(training=1.0, full=1.0, grace=0.5)
    factory = partial(faulty.make, str(notes))
    if kind == "in process":
        return InProcess(factory(), deadlines=deadlines)  # type: ignore[arg-type]
    if kind == "ray":
        from kdzero_gp.execute.executors.ray import Ray

        address = request.getfixturevalue("ray_address")
        return Ray(2, factory, address=address, deadlines=deadlines)  # type: ignore[arg-type]
    return Processes(int(kind), factory, deadlines=deadlines)  # type: ignore[arg-type]


KINDS = ("in process", "1", "2", "ray")


@pytest.fixture(scope="session")
def executors(tmp_path_factory: pytest.TempPathFactory, request: Any) -> Iterator[Callable[[str], Noted]]:
    """One executor of each kind for all tests: what one test does to it must not harm the next."""
    with ExitStack() as stack:

        @cache
        def get(kind: str) -> Noted:
            notes = tmp_path_factory.mktemp("notes")
            return stack.enter_context(closing(make_executor(kind, request, notes))), notes

        yield get


@pytest.fixture(params=KINDS)
def noted(executors: Callable[[str], Noted], request: Any) -> Noted:
    """An executor of every kind, and the folder of its evaluators' notes, empty."""
    executor, notes = executors(request.param)
    for path in notes.iterdir():
        path.unlink()
    return executor, notes


@pytest.fixture
def executor(noted: Noted) -> Executor:
    """Every kind."""
    return noted[0]


@pytest.fixture
def notes(noted: Noted) -> Path:
    """What the executor's evaluators write down."""
    return noted[1]
