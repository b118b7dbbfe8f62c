"""The examples of the pages "Add a …": each is added as its page says, used, and recomputed by plain loops."""

import importlib
import math
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from kdzero_gp import Distiller, Knowledge
from kdzero_gp.data import load_dataset
from kdzero_gp.data.sources.source import SOURCES
from kdzero_gp.evaluate.fitness import FITNESS
from kdzero_gp.evolve.columns import COLUMNS
from kdzero_gp.evolve.final import Row
from kdzero_gp.evolve.individual import Individual
from kdzero_gp.evolve.selection import SELECTIONS
from kdzero_gp.evolve.settings import SearchSettings
from kdzero_gp.execute.executor import EXECUTORS
from kdzero_gp.grammar.registry import Registry, default_registry
from kdzero_gp.methods import registry as methods
from kdzero_gp.models import build
from kdzero_gp.models.network import NETWORKS
from kdzero_gp.plot.__main__ import make_app
from kdzero_gp.plot.figure import FIGURES
from kdzero_gp.run.config import RunConfig, make_config
from kdzero_gp.store.record import Evaluation, Proposal
from kdzero_gp.tasks import kinds

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples" / "add"
N, K = 5, 4


@pytest.fixture
def registry() -> Registry:
    return default_registry().copy()


def knowledge(seed: int) -> Knowledge:
    generator = torch.Generator().manual_seed(seed)
    return Knowledge(
        stage1=torch.randn(N, 3, 2, 2, generator=generator, dtype=torch.float64),
        logits=torch.randn(N, K, generator=generator, dtype=torch.float64),
    )


def loss(registry: Registry, file: str, text: str) -> float:
    registry.load_file(EXAMPLES / file)
    with registry.active():
        return float(Distiller(text)(knowledge(0), knowledge(1), torch.arange(N) % K))


def softened(scores: list[float], tau: float) -> list[float]:
    powers = [math.exp(score / tau) for score in scores]
    return [power / sum(powers) for power in powers]


def test_transform(registry: Registry) -> None:
    def energy(x: list[list[list[float]]]) -> list[float]:
        return [
            x[c][h][w] * sum(abs(x[other][h][w]) for other in range(3)) / 3
            for c in range(3)
            for h in range(2)
            for w in range(2)
        ]

    student, teacher = (knowledge(seed)["stage1"].tolist() for seed in (0, 1))
    each = [
        sum((a - b) ** 2 for a, b in zip(energy(s), energy(t), strict=True)) / 12
        for s, t in zip(student, teacher, strict=True)
    ]
    assert loss(registry, "transform.py", "weight(1, l2(energy(stage1)))") == pytest.approx(sum(each) / N)


def test_distance(registry: Registry) -> None:
    student, teacher = (knowledge(seed)["logits"].tolist() for seed in (0, 1))
    each = [
        16 * sum(abs(a - b) for a, b in zip(softened(s, 4), softened(t, 4), strict=True))
        for s, t in zip(student, teacher, strict=True)
    ]
    assert loss(registry, "distance.py", "weight(1, tv(logits, 4))") == pytest.approx(sum(each) / N)


def test_weight(registry: Registry) -> None:
    student, teacher = (knowledge(seed)["logits"].tolist() for seed in (0, 1))
    certainty = [softened(scores, 1)[number % K] for number, scores in enumerate(teacher)]
    distances = [sum(abs(a - b) for a, b in zip(s, t, strict=True)) / K for s, t in zip(student, teacher, strict=True)]
    expected = sum(u * d for u, d in zip(certainty, distances, strict=True)) / sum(certainty)
    assert loss(registry, "weight.py", "weight(1, w_right(l1(logits)))") == pytest.approx(expected)


Drop = Callable[[str, str, str], Any]


@pytest.fixture
def drop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Drop]:
    """Puts an example into a folder of the package, as its page says, and imports it from there."""
    before = set(sys.modules)

    def put(example: str, room: str, name: str) -> Any:
        folder = tmp_path / room
        folder.mkdir()
        if (EXAMPLES / example).is_dir():
            shutil.copytree(EXAMPLES / example, folder / name)
        else:
            shutil.copyfile(EXAMPLES / example, folder / f"{name}.py")
        package = importlib.import_module(room)
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
        return importlib.import_module(f"{room}.{name}")

    with ExitStack() as stack:
        for choices in (SELECTIONS, FITNESS, COLUMNS, SOURCES, NETWORKS, FIGURES, EXECUTORS):
            stack.enter_context(choices.restored())  # type: ignore[attr-defined]
        yield put
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


@pytest.mark.usefixtures("drop")
def test_selection(registry: Registry) -> None:
    registry.load_file(EXAMPLES / "selection.py")
    assert make_config(selection="truncation").selection == "truncation"
    scheme = SELECTIONS["truncation"](SearchSettings(population=2, elites=1))
    values, tree = [3.0, 1.0, 2.0, 4.0], "weight(1, l2(pool))"
    members = [
        Individual.of(
            Proposal(number, 0, "evolve", "random", (), tree, str(number), 0),
            Evaluation("ok", fitness=value),
            type(scheme),
        )
        for number, value in enumerate(values)
    ]
    drawn = {scheme.parent(members, random.Random(seed)).proposal.number for seed in range(50)}
    assert drawn == {1, 2}
    assert [kept.proposal.number for kept in scheme.survivors(members[:2], members[2:])] == [1, 2]


@pytest.mark.usefixtures("drop")
def test_fitness(registry: Registry) -> None:
    registry.load_file(EXAMPLES / "fitness.py")
    assert make_config(fitness="errors").fitness == "errors"
    assert FITNESS["errors"]({"accuracy": 0.9}, {"accuracy": 0.8}) == pytest.approx(0.5)


@pytest.mark.usefixtures("drop")
def test_column(registry: Registry) -> None:
    registry.load_file(EXAMPLES / "column.py")
    kind = kinds.kind_of()
    assert COLUMNS["size"].heading(kind) == "size nodes"
    tree = "weight(1, l2(pool))"
    assert COLUMNS["size"].cell(Row("a", "evolved", tree), kind) == "4", "weight, 1, l2 and pool"
    assert COLUMNS["size"].cell(Row("a", "alone"), kind) is None


def test_data_set(drop: Drop, tmp_path: Path) -> None:
    drop("data_set.py", "kdzero_gp.data.sources", "npy")
    images = np.random.RandomState(0).randint(0, 256, (40, 6, 6)).astype(np.uint8)
    np.save(tmp_path / "images.npy", images)
    np.save(tmp_path / "labels.npy", np.arange(40) % 2)
    data = load_dataset(f"npy:{tmp_path}")
    assert (data.num_classes, data.image_shape) == (2, (1, 6, 6))
    found = torch.cat([split.pixels for split in (data.train, data.val, data.test)]).flatten(1).tolist()
    assert sorted(found) == sorted(images.reshape(40, -1).tolist())


def test_network(drop: Drop) -> None:
    drop("network.py", "kdzero_gp.models", "separable")
    student = build("separable8", num_classes=3, in_channels=1)
    assert student(torch.zeros(2, 1, 8, 8)).shape == (2, 3)
    assert {"separable8", "separable16"} < set(NETWORKS)


def test_executor(drop: Drop, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    from kdzero_gp.execute.deadlines import Deadlines
    from kdzero_gp.execute.executors import inprocess
    from kdzero_gp.execute.protocol import ScreenJob
    from kdzero_gp.execute.start import start_executor

    drop("executor.py", "kdzero_gp.execute.executors", "logged")
    evaluation = Evaluation("ok", fitness=1.0)
    monkeypatch.setattr(inprocess, "attempt", lambda evaluator, job, free: evaluation)
    config = make_config(executor="logged")
    executor = start_executor(config, cast(Any, None), 1, Deadlines(), lambda config: cast(Any, config))
    ticket = executor.submit(ScreenJob("weight(1, l2(pool))"))
    assert executor.wait() == (ticket, evaluation)
    assert caplog.messages == ["job 0 is a ScreenJob", "job 0 gave a Evaluation"]


def test_figure(drop: Drop, tmp_path: Path) -> None:
    drop("figure.py", "kdzero_gp.plot", "schedule")
    done = CliRunner().invoke(make_app(), ["schedule", "repdistiller", "--out", str(tmp_path), "--quiet"])
    assert done.exit_code == 0, done.output
    header, *lines = (tmp_path / "schedule.csv").read_text().splitlines()
    expected = [0.05 * 0.1 ** sum(epoch >= end for end in (150, 180, 210)) for epoch in range(240)]
    assert header == "epoch,learning_rate"
    assert [float(line.split(",")[1]) for line in lines] == pytest.approx(expected)
    assert {path.suffix for path in tmp_path.glob("schedule.*")} == {".svg", ".png", ".csv"}


def test_option(drop: Drop) -> None:
    module = drop("option.py", "kdzero_gp.pair", "more")

    class Run(module.WithWeightDecay, RunConfig):  # type: ignore[misc, name-defined]
        """A search's options and one more."""

    from kdzero_gp.console.options import option_fields

    assert "weight_decay" in option_fields(Run)
    assert [recipe.weight_decay for recipe in Run(weight_decay=0.25).recipes("digits")] == [0.25, 0.25]
    assert Run().recipes("digits") == RunConfig().recipes("digits")
    assert Run(weight_decay=0.25).identity["weight_decay"] == 0.25


def test_method_as_a_tree(drop: Drop, registry: Registry) -> None:
    drop("method.py", "kdzero_gp.methods", "regress")
    found = methods._walk()["regress"].having({"alpha": 3})
    student, teacher = (knowledge(seed)["logits"].tolist() for seed in (0, 1))
    each = [sum((a - b) ** 2 for a, b in zip(s, t, strict=True)) / K for s, t in zip(student, teacher, strict=True)]
    value = Distiller(str(found.tree()))(knowledge(0), knowledge(1), torch.arange(N) % K)
    assert float(value) == pytest.approx(3 * sum(each) / N)
    assert found.call == "regress(alpha=3)"


def test_method_with_learned_parts(drop: Drop) -> None:
    drop("method_module.py", "kdzero_gp.methods", "angles")
    loss = methods._walk()["angles"].having({"beta": 5.0}).loss(())
    student, teacher = (Knowledge(pool=torch.randn(N, c, generator=torch.Generator().manual_seed(c))) for c in (3, 4))
    value = loss(student, teacher, torch.arange(N))
    weight = loss.projector.weight.tolist()
    total = 0.0
    for s, t in zip(student["pool"].tolist(), teacher["pool"].tolist(), strict=True):
        p = [sum(w * x for w, x in zip(row, s, strict=True)) for row in weight]
        dot = sum(a * b for a, b in zip(p, t, strict=True))
        total += 1 - dot / math.sqrt(sum(a * a for a in p) * sum(b * b for b in t))
    assert float(value.detach()) == pytest.approx(5 * total / N, rel=1e-4)
    assert [tuple(parameter.shape) for parameter in loss.learned()] == [(4, 3)]


def test_kind(drop: Drop) -> None:
    drop("kind", "kdzero_gp.tasks", "smoothed")
    kinds.kinds.cache_clear()
    try:
        kind = kinds.kind_of("smoothed")
        assert make_config(task="smoothed").fitness == "tempered"
        scores = knowledge(0)["logits"]
        value = kind.loss(Knowledge(logits=scores), torch.arange(N) % K)
        total = 0.0
        for number, row in enumerate(scores.tolist()):
            logs = [math.log(p) for p in softened(row, 1)]
            total -= 0.9 * logs[number % K] + 0.1 * sum(logs) / K
        assert float(value) == pytest.approx(total / N, rel=1e-5)
    finally:
        kinds.kinds.cache_clear()
