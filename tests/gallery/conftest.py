"""Stand-in operations and small runs, so that the gallery's tests depend on no primitive of the project."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from kdzero_gp.grammar.decorators import distance, transform, weight
from kdzero_gp.grammar.parse import parse
from kdzero_gp.grammar.registry import Registry
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.grammar.types import Logits, Map, Rows, Tau, Vector
from kdzero_gp.store import Evaluation, Proposal, RunStore
from tests.gallery.sample_run import EXAMPLE


@pytest.fixture(scope="session")
def stand_ins() -> Registry:
    registry = Registry()
    with registry.active():
        for name in ("catt", "scale_r2", "norm_n", "satt"):
            transform(Map, Vector, name=name, formula=r"\tfrac12\lVert x\rVert_{HW}")(lambda x: x + 0)
        transform(Map, to=Rows, name="channel")(lambda x: x.flatten(2))
        transform(Map, name="only_teacher", teacher_only=True)(lambda x: x.relu())
        for name in ("l1", "l2"):
            distance(Map, Rows, Vector, Logits, name=name)(lambda s, t: (s - t).abs().flatten(1).mean(1))
        distance(Vector, Logits, constants=(Tau,), name="kl")(lambda s, t, tau: (s - t).abs().mean(1) * tau)
        weight(name="w_entropy", formula="1 - H")(lambda s, t: torch.ones(len(s)))
    return registry


@pytest.fixture(scope="session")
def read(stand_ins: Registry) -> Callable[[str], Tree]:
    return lambda text: parse(text, registry=stand_ins)


@pytest.fixture
def example(read: Callable[[str], Tree]) -> Tree:
    return read(EXAMPLE)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    with RunStore.create(tmp_path / "run", {"pop": 4}) as opened:
        yield opened


Recorder = Callable[..., None]


@pytest.fixture
def record(store: RunStore) -> Recorder:
    def record(number: int, tree: str, fitness: float | None = None, **changes: object) -> None:
        proposal = {"generation": 0, "arm": "evolve", "operator": "random", "parents": (), "rung": 0, "canonical": tree}
        evaluation = {"stage": None, "parts": {"ce": 0.5}, "calibration": (), "fingerprint": None, "steps": 1}
        evaluation |= {"seed": 0, "seconds": 0.1, "host": "here", "error": None}
        evaluation["status"] = "ok" if fitness is not None else "error"
        for name, value in changes.items():
            (proposal if name in proposal else evaluation)[name] = value
        store.record(
            Proposal(number=number, tree=tree, **proposal),  # type: ignore[arg-type]
            Evaluation(fitness=fitness, **evaluation),  # type: ignore[arg-type]
        )

    return record
