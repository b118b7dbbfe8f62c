"""What the store's tests share: a proposal, an evaluation, and a second process that writes."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kdzero_gp.store import Evaluation, Proposal

PROPOSAL = Proposal(
    number=0,
    generation=0,
    arm="evolve",
    operator="random",
    parents=(),
    tree="weight(1, kl(logits, 4))",
    canonical="weight(1, kl(logits, 4))",
    rung=0,
)
EVALUATION = Evaluation(
    status="ok",
    stage=None,
    fitness=0.1 + 0.2,
    parts={"ce": 0.1, "sharpness_gap": 0.2},
    calibration=(1.5,),
    fingerprint="f00d",
    steps=160,
    seed=2**64 - 1,
    seconds=0.17,
    host="a-machine",
    error=None,
)
WRITER = Path(__file__).with_name("writer_process.py")


@pytest.fixture
def proposal() -> Callable[..., Proposal]:
    """`proposal(number=3)`: a valid proposal with these fields replaced."""
    return lambda **fields: replace(PROPOSAL, **fields)


@pytest.fixture
def evaluation() -> Callable[..., Evaluation]:
    """`evaluation(fitness=1.0)`: a valid evaluation with these fields replaced."""
    return lambda **fields: replace(EVALUATION, **fields)


@pytest.fixture
def start_writer() -> Any:
    """`start_writer("loop", folder)`: run writer_process.py; whatever still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, str(WRITER), *map(str, arguments)]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
