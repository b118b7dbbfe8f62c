"""The parts of the fitness, recomputed from plain forward passes, and how they are summed."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from kdzero_gp import parse
from kdzero_gp.errors import ConfigError
from kdzero_gp.evaluate.evaluator import EvaluationSettings, Evaluator
from kdzero_gp.evaluate.fitness import DEFAULT_FITNESS, FITNESS, Parts, check_fitness, eq2, fitness, relative, tempered
from kdzero_gp.evaluate.screen import Screening
from kdzero_gp.run.config import make_config
from kdzero_gp.tasks.classification.measures import fitness_parts, tempered_cross_entropy
from kdzero_gp.tasks.kinds import kind_of
from kdzero_gp.tasks.task import Task

PARTS = {"ce": 0.5, "sharpness_gap": 0.25, "cka_gap": 0.125, "accuracy": 0.9}


def test_eq2_is_the_plain_sum_of_the_three() -> None:
    assert eq2(PARTS, {}) == 0.875
    assert FITNESS["eq2"].function is eq2
    assert FITNESS["eq2"](PARTS, {}) == 0.875


def test_the_relative_fitness_of_the_student_alone_is_two() -> None:
    assert relative(PARTS, PARTS) == 2
    assert relative(PARTS, {"ce": 0.25, "cka_gap": 0.5, "sharpness_gap": 9.0}) == 2 + 0.25
    assert math.isfinite(relative(PARTS, {"ce": 0.0, "cka_gap": 0.0}))


def test_the_tempered_fitness_of_the_student_alone_is_one() -> None:
    assert tempered({"tempered_ce": 0.3}, {"tempered_ce": 0.3}) == 1
    assert tempered({"tempered_ce": 0.3, "cka_gap": 9.0}, {"tempered_ce": 0.6}) == 0.5
    assert math.isfinite(tempered({"tempered_ce": 0.3}, {"tempered_ce": 0.0}))


@pytest.fixture
def hits() -> Iterator[Callable[[Parts, Parts], float]]:
    """A fitness function of this file alone."""
    with FITNESS.restored():

        @fitness(parts=("accuracy",), formula=r"\mathrm{acc}", about="how often it is right", direction="higher")
        def hits(parts: Parts, reference: Parts) -> float:
            return parts["accuracy"] - reference["accuracy"]

        yield hits


def test_a_fitness_function_of_this_file_is_an_option_like_the_others(hits: Any, task: Task) -> None:
    assert hits({"accuracy": 0.75}, {"accuracy": 0.5}) == 0.25
    assert FITNESS["hits"]({"accuracy": 0.75}, {"accuracy": 0.5}) == -0.25, "higher is better, so the search minimises"
    assert make_config(fitness="hits").fitness == "hits"
    assert FITNESS.help(DEFAULT_FITNESS).endswith("; hits: how often it is right.")
    evaluator = Evaluator(task, EvaluationSettings(run_seed=3, fitness="hits"))
    screening = evaluator.screen(parse("weight(1, kl(logits, 4))"))
    assert isinstance(screening, Screening)
    (evaluation,) = evaluator.train([screening.candidate("weight(1, kl(logits, 4))")], 0)
    assert evaluation.fitness == evaluator.references[0]["accuracy"] - evaluation.parts["accuracy"]


def test_an_unknown_one_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        ConfigError, match="--fitness is 'hits', but should be 'tempered' or 'relative' or 'eq2' or 'bce'"
    ):
        make_config(fitness="hits")


@pytest.mark.parametrize("name", FITNESS)
def test_it_reads_the_parts_that_it_names_and_no_others(name: str) -> None:
    chosen = FITNESS[name]
    seen: set[str] = set()

    class Watched(dict[str, float]):
        def __getitem__(self, part: str) -> float:
            seen.add(part)
            return super().__getitem__(part)

    everything = Watched(PARTS, tempered_ce=0.4, bce=0.3, map=0.6)
    assert chosen(everything, everything) > 0
    assert seen == set(chosen.parts)


@pytest.mark.parametrize(("kind", "fits", "does_not"), [("classification", "eq2", "map"), ("multilabel", "map", "eq2")])
def test_it_fits_where_its_parts_are_measured(hits: Any, kind: str, fits: str, does_not: str) -> None:
    check_fitness(fits, kind_of(kind))
    with pytest.raises(ConfigError, match=f"--fitness is {does_not}, but with --task {kind} it must be .*{fits}"):
        check_fitness(does_not, kind_of(kind))
    if kind == "classification":
        check_fitness("hits", kind_of(kind))  # which nobody has listed


def test_a_part_that_is_not_measured_is_named() -> None:
    with pytest.raises(ConfigError, match="--fitness relative reads cka_gap, but students are measured by ce, map;"):
        FITNESS["relative"]({"ce": 1.0, "map": 0.5}, {})


@pytest.mark.parametrize("split", ["val", "test"])
def test_parts_agree_with_plain_forward_passes(task: Task, split: str) -> None:
    student = task.student(5)
    parts = fitness_parts(task, student, split)
    data = getattr(task.data, split)
    student.eval()
    logits, features = {"s": [], "t": []}, {"s": [], "t": []}
    with torch.no_grad():
        for image in data.images:
            for side, model in (("s", student), ("t", task.teacher)):
                seen: list[torch.Tensor] = []
                taps = task.student_taps if side == "s" else task.teacher_taps
                last = dict(model.named_modules())[taps["pool"].path]
                hook = last.register_forward_pre_hook(lambda _m, inputs, seen=seen: seen.append(inputs[0]))
                logits[side].append(model(task.data.normalise(image[None]))[0].double().numpy())
                hook.remove()
                features[side].append(seen[0].flatten().double().numpy())
    labels = data.labels.tolist()
    ce, sharp, right = [], [], 0
    for s, t, label in zip(logits["s"], logits["t"], labels, strict=True):
        sizes = [math.log(sum(math.exp(v) for v in row)) for row in (s, t)]
        ce.append(sizes[0] - s[label])
        sharp.append(abs(sizes[1] - sizes[0]))
        right += int(np.argmax(s) == label)
    assert parts["ce"] == pytest.approx(np.mean(ce), rel=1e-5)
    assert parts["sharpness_gap"] == pytest.approx(np.mean(sharp), rel=1e-5)
    assert parts["accuracy"] == right / len(labels)
    f, g = (np.stack(features[side]) for side in ("s", "t"))
    f, g = f - f.mean(0), g - g.mean(0)
    alignment = ((f @ f.T) * (g @ g.T)).sum() / math.sqrt(((f @ f.T) ** 2).sum() * ((g @ g.T) ** 2).sum())
    assert parts["cka_gap"] == pytest.approx(1 - alignment, rel=1e-4)


@pytest.mark.parametrize("scale", [0.05, 1.0, 7.0])
def test_the_tempered_cross_entropy_is_the_least_over_temperatures(scale: float) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(300, 10, generator=generator)
    labels = torch.randint(0, 10, (300,), generator=generator)
    labels[:200] = logits[:200].argmax(1)
    grid = [
        float(torch.nn.functional.cross_entropy(scale * logits.double() / t, labels))
        for t in torch.logspace(-1.8, 1.8, 721).tolist()
    ]
    found = tempered_cross_entropy(scale * logits, labels)
    assert found == pytest.approx(min(grid), abs=1e-4)
    assert found <= min(grid) + 1e-9


def test_logits_without_a_number_have_no_tempered_cross_entropy() -> None:
    assert math.isnan(tempered_cross_entropy(torch.full((4, 3), float("nan")), torch.zeros(4, dtype=torch.int64)))
