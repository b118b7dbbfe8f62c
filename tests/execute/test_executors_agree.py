"""The evaluator of a real run behind every executor: bit for bit the same results, wherever they are computed."""

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kdzero_gp.evaluate.candidate import Candidate
from kdzero_gp.evaluate.screen import Screening
from kdzero_gp.execute.executors.inprocess import InProcess
from kdzero_gp.execute.executors.processes import Processes
from kdzero_gp.execute.pool import WorkerError
from kdzero_gp.execute.protocol import Executor, FullJob, ScreenJob, TrainJob
from kdzero_gp.grammar.registry import active_registry
from kdzero_gp.run.assemble import make_evaluator, make_worker_evaluator
from kdzero_gp.run.config import RunConfig, make_config
from kdzero_gp.store.record import Evaluation

TEXTS = (
    "weight(1, kl(logits, 4))",
    "weight(5, l2(stage2))",
    "weight(1, mine(logits))",
    "weight(1, l2(mask(stage1)))",
    "weight(1, faulty(logits))",
)
CANDIDATES = (Candidate(None), Candidate(TEXTS[0], ce_weight=0.1), Candidate("weight(1, l2(stage9))"))


@pytest.fixture(scope="module")
def config(primitive_file: Path) -> RunConfig:
    return make_config(
        teacher="cnn4", limit=128, batch_size=32, epochs=1, proxy_epochs=1, seed=5, primitives=[str(primitive_file)]
    )


@pytest.fixture(autouse=True)
def _own_registry() -> Iterator[None]:
    with active_registry().copy().active():
        yield


def make(kind: str, config: RunConfig, request: Any) -> Executor:
    if kind == "ray":
        from kdzero_gp.execute.executors.ray import Ray

        address = request.getfixturevalue("ray_address")
        return Ray(1, partial(make_worker_evaluator, config), address=address, attempts=1)
    return Processes(int(kind), partial(make_worker_evaluator, config), attempts=1)


def lasting(result: Any) -> dict[str, Any]:
    """A result without what depends on the clock or the machine."""
    fields = {name: value for name, value in asdict(result).items() if name not in ("seconds", "host", "error")}
    error = getattr(result, "error", None)
    return fields | {"type": type(result).__name__, "error": error and error.splitlines()[-1]}


def everything(executor: Executor) -> list[dict[str, Any]]:
    """Screenings, trainings alone and together, and full trainings, each by the order of its jobs."""
    screened = dict(executor.run([ScreenJob(text) for text in TEXTS]))
    passed = [s.candidate(text) for i, text in enumerate(TEXTS) if isinstance(s := screened[i], Screening)]
    groups = [*((candidate,) for candidate in passed), tuple(passed[:2])]
    trained = dict(executor.run([TrainJob(group, 0) for group in groups]))
    jobs = [FullJob(candidate, number, "test") for candidate in CANDIDATES for number in range(2)]
    full = dict(executor.run(jobs))
    results = [lasting(screened[i]) for i in range(len(TEXTS))]
    for i in range(len(groups)):
        group = trained[i]
        assert isinstance(group, tuple)
        results += map(lasting, group)
    return results + [lasting(full[i]) for i in range(len(jobs))]


@pytest.fixture(scope="module")
def expected(config: RunConfig, teacher_cache: str) -> list[dict[str, Any]]:
    os.environ["KDZERO_GP_CACHE"] = teacher_cache
    with active_registry().copy().active():
        return everything(InProcess(make_evaluator(config)))


def test_the_expected_results_hold_something(expected: list[dict[str, Any]]) -> None:
    assert [r["type"] for r in expected].count("Screening") == 4
    assert [r.get("status") for r in expected].count("ok") == 6
    assert [r.get("status") for r in expected].count("error") == 1
    assert [(r.get("parts") or {}).get("accuracy") is not None for r in expected[-6:]] == [True] * 4 + [False] * 2


@pytest.mark.parametrize("kind", ["2", "ray"])
def test_every_executor_gives_the_same_results_bit_for_bit(
    kind: str, config: RunConfig, expected: list[dict[str, Any]], request: Any
) -> None:
    with closing(make(kind, config, request)) as executor:
        assert everything(executor) == expected
        results = dict(executor.run([ScreenJob("weight(1, deadly(logits))"), ScreenJob(TEXTS[1])]))
    lost = results[0]
    assert isinstance(lost, Evaluation)
    assert (lost.status, lost.fitness, lost.fingerprint) == ("worker_lost", None, None)
    assert lasting(results[1]) == expected[1], "one that kills its worker harms no other"


def test_what_the_worker_cannot_build_is_named(config: RunConfig, tmp_path: Path) -> None:
    broken = config.model_copy(update={"data": f"npz:{tmp_path / 'gone.npz'}"})
    with (
        closing(Processes(1, partial(make_worker_evaluator, broken))) as executor,
        pytest.raises(WorkerError, match=r"cannot start \(DataError: there is no data file .*gone\.npz"),
    ):
        list(executor.run([ScreenJob(TEXTS[0])]))
