"""What is measured and assumed, how much of it, and what the rows of the result are called."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.harness.result import Scalar
from benchmarks.scaling.simulation import Mode

STATE = 40_000
"""Bytes of a costless candidate's state: what the digits student's is."""
DEATHS = 0.1
"""Assumed deaths of a worker per hour, as where hosts are lent; none died unasked while this was measured."""
LONGER = 28.0
"""Mean seconds of a training in the second simulation: 6 epochs of 5,000 images in 60 ms per step of 64, ResNet-20."""
MODES: tuple[Mode, ...] = ("steady", "generational")
ALONE, BESIDE_RAY, DISPATCH, SIMULATION = "candidates", "candidates beside ray", "dispatch", "simulated"
RATE, COST, SEARCH = "candidates per second", "dispatch, ms per candidate", "whole search, ms per candidate"


@dataclass(frozen=True)
class Size:
    """How much is measured.

    Attributes:
        jobs: candidates that compute nothing.
        dispatched: numbers of worker processes that these are sent to.
        simulated: numbers of workers.
        options: of the pair.
    """

    candidates: int
    rounds: int
    jobs: int
    dispatched: tuple[int, ...]
    simulated: tuple[int, ...]
    options: Mapping[str, Scalar] = field(default_factory=dict)


FULL = Size(candidates=40, rounds=3, jobs=400, dispatched=(1, 2), simulated=(1, 2, 10, 100, 1000, 10_000))
SMALL: dict[str, Scalar] = {"teacher": "cnn4", "limit": 128, "proxy_epochs": 1}
QUICK = Size(candidates=2, rounds=1, jobs=20, dispatched=(2,), simulated=(1, 20), options=SMALL)
