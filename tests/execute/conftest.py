"""A run's configuration on a real pair, with primitives from a file as workers load them."""

from pathlib import Path

import pytest
import torch

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
