"""What every kind of task must hold: one suite, run over all of them, and each measure against a trusted one."""

import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kdzero_gp import Distiller, Knowledge, parse
from kdzero_gp.data import load_dataset
from kdzero_gp.errors import ConfigError, ModelError
from kdzero_gp.evaluate.fitness import FITNESS
from kdzero_gp.grammar.generate import random_tree
from kdzero_gp.grammar.registry import active_registry
from kdzero_gp.loops.fused.training import FusedTraining
from kdzero_gp.loops.sharded import ShardedTraining
from kdzero_gp.loops.single import Training
from kdzero_gp.methods.registry import METHODS
from kdzero_gp.randomness import seeded
from kdzero_gp.taps.tap import TYPES
from kdzero_gp.tasks.kind import TaskKind
from kdzero_gp.tasks.kinds import DEFAULT, check_tree, kind_of, kinds
from kdzero_gp.tasks.multilabel.loss import binary_cross_entropy
from kdzero_gp.tasks.multilabel.measures import average_precision, mean_average_precision
from kdzero_gp.tasks.recipe import Recipe
from kdzero_gp.tasks.task import Task
from kdzero_gp.tasks.teacher.pretrain import cached_teacher

CLASSES = 4
RECIPE = Recipe(epochs=1, batch_size=16, lr=0.05)


@pytest.fixture(scope="module", params=list(kinds()))
def kind(request: pytest.FixtureRequest) -> TaskKind:
    return kind_of(request.param)


@pytest.fixture(scope="module")
def task(kind: TaskKind, tmp_path_factory: pytest.TempPathFactory) -> Task:
    """Small images whose corners are bright where they have the class."""
    folder = tmp_path_factory.mktemp(kind.name)
    rng = np.random.RandomState(0)
    several = rng.rand(96, CLASSES) < 0.4
    single = np.arange(96) % CLASSES
    has = several if kind.labels == "multi_hot" else np.eye(CLASSES, dtype=bool)[single]
    x = rng.randint(0, 60, (96, 8, 8))
    for number, (row, column) in enumerate(((0, 0), (0, 4), (4, 0), (4, 4))):
        x[has[:, number], row : row + 4, column : column + 4] += 150
    y = several.astype(np.uint8) if kind.labels == "multi_hot" else single
    np.savez(folder / "corners.npz", x=x.astype(np.uint8), y=y)
    data = load_dataset(f"npz:{folder / 'corners.npz'}", labels=kind.labels)
    teacher = cached_teacher("cnn4", data, cache_dir=folder, recipe=Recipe(epochs=8, batch_size=16, lr=0.05), kind=kind)
    build = partial(kind.build, "cnn2", data, in_channels=1, image_size=(8, 8))
    return Task("corners", teacher, build, data, recipe=RECIPE, proxy=RECIPE, kind=kind)


def outputs(task: Task, count: int = 12) -> tuple[Knowledge, Tensor]:
    student = task.student(1).train()
    with task.reader(student, task.student_taps) as reader:
        return reader(task.first_images("train", count)), task.targets("train")[:count]


def test_the_kinds_are_found_by_their_names_and_a_wrong_name_is_explained() -> None:
    assert list(kinds()) == [DEFAULT, "multilabel"]
    with pytest.raises(ConfigError, match=r"--task is 'multilable', but must be .* Did you mean 'multilabel'"):
        kind_of("multilable")


def test_it_names_what_the_rest_of_the_program_has(kind: TaskKind) -> None:
    assert kind.fitness
    assert set(kind.fitness) <= set(FITNESS)
    assert {"none"} <= set(kind.augmentations) <= {"none", "crop-flip", "strong"}
    check_tree(kind, METHODS[kind.baseline].tree(), "the baseline")
    assert len({measure.key for measure in (kind.quality, *kind.further)}) == 1 + len(kind.further)


def test_every_tap_has_a_role_and_the_loss_reads_some(task: Task) -> None:
    known, _ = outputs(task)
    for name, tap in task.student_taps.items():
        dimensions = {"map": 4, "vector": 2, "scores": 2}[tap.role]
        assert known[name].dim() == dimensions
        assert task.tap_types[name] is TYPES[tap.role]
    assert set(task.kind.loss_taps) <= set(task.student_taps)


def test_the_loss_in_its_three_forms_is_one(task: Task) -> None:
    known, targets = outputs(task)
    mean = task.kind.loss(known, targets)
    assert mean.shape == ()
    assert mean.requires_grad
    half = Knowledge(**{name: tap.bfloat16() for name, tap in known.items()})
    assert task.kind.loss(half, targets).dtype == torch.float32
    each = task.kind.loss(known, targets, "none")
    assert each.shape == (len(targets),)
    assert bool((each >= 0).all())
    torch.testing.assert_close(each.mean(), mean)
    torch.testing.assert_close(task.kind.loss(known, targets, "sum"), each.sum())
    first = task.kind.loss(known.map(lambda tap: tap[:1]), targets[:1])
    torch.testing.assert_close(first, each[0])


def test_predictions_that_agree_do_not_diverge(task: Task) -> None:
    known = outputs(task)[0].detach()
    teacher = task.teacher_probe(task.kind.loss_taps, 12)
    assert float(task.kind.divergence(known, known)) == pytest.approx(0, abs=1e-6)
    assert float(task.kind.divergence(known, teacher)) > 0


def test_measures_are_shares_and_fitness_functions_find_their_parts(task: Task) -> None:
    student = task.student(0)
    parts, full = task.kind.parts(task, student, "val"), task.kind.full_parts(task, student, "val")
    measured = task.kind.measures(task, student, "val")
    assert full == parts | measured
    assert task.kind.quality.key in parts
    assert all(0 <= value <= 1 for value in measured.values())
    for name in task.kind.fitness:
        assert math.isfinite(FITNESS[name](parts, parts))
    alone = FITNESS[task.kind.fitness[0]](parts, parts)
    assert FITNESS[task.kind.fitness[0]]({name: value / 2 for name, value in parts.items()}, parts) < alone
    network = task.kind.network_measures(student, task.data, task.data.val)
    assert network == pytest.approx(measured, abs=1e-6)


def test_the_teacher_has_learned_and_is_measured_alike(task: Task) -> None:
    quality = task.kind.quality.key
    taught = task.kind.teacher_measures(task, "test")[quality]
    assert taught == pytest.approx(
        task.kind.network_measures(task.teacher, task.data, task.data.test)[quality], abs=1e-6
    )
    assert taught > 0.9 > task.kind.measures(task, task.student(0), "test")[quality]


def test_training_a_teacher_twice_gives_the_same_weights(task: Task) -> None:
    def trained() -> dict[str, Tensor]:
        with seeded(3):
            model = task.kind.build("cnn2", task.data, in_channels=1, image_size=(8, 8))
        return task.kind.train_teacher(model, task.data, RECIPE, seed=3, device="cpu").state_dict()

    first, second = trained(), trained()
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_networks_of_another_task_are_refused(task: Task) -> None:
    images = task.first_images("train", 2)
    task.kind.check_output(task.teacher(images), task.data, images, "the teacher")
    for output, found in (
        (images, "gives shape"),
        ((images,), "gives a tuple"),
        (torch.zeros(2, 9), "scores 9 classes"),
    ):
        with pytest.raises(ModelError, match=f"the student {found}"):
            task.kind.check_output(output, task.data, images, "the student")
    with pytest.raises(ModelError, match="gives 9 class scores, but corners has 4"):
        Task("bad", _scoring(9), lambda: _scoring(9), task.data, recipe=RECIPE, proxy=RECIPE, kind=task.kind)


def _scoring(classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, classes))


@pytest.mark.parametrize("extended", [False, True])
def test_random_distillers_fit_the_classes_and_train(task: Task, extended: bool) -> None:
    grammar = task.grammar(active_registry(), extended=extended)
    for seed in range(200):
        task.check_tree(random_tree(seed, grammar=grammar), "a random distiller")
    drawn = set(grammar.operations)
    assert ({"hard", "w_conf", "w_focal"} <= drawn) is task.kind.exclusive
    assert ("sigmoid_kl" in drawn) is not task.kind.exclusive
    assert "kl" in drawn  # of vectors it holds for any task


def test_students_in_one_program_have_the_losses_that_they_have_alone(task: Task) -> None:
    text = METHODS[task.kind.baseline].tree(task.student_taps.stages)
    alone = Training(task, Distiller(text), RECIPE, student_seed=0, order_seed=0)
    alone.advance(3)
    for way in ("grouped", "vmap"):
        fused = FusedTraining(task, [Distiller(text), None], RECIPE, student_seed=0, order_seed=0, way=way)
        fused.advance(3)
        for name, value in fused.students()[0].state_dict().items():
            torch.testing.assert_close(value, alone.student.state_dict()[name], rtol=1e-3, atol=1e-5)


def test_a_batch_in_passes_is_the_batch_at_once(task: Task) -> None:
    whole = Training(task, None, RECIPE, student_seed=0, order_seed=0)
    passes = ShardedTraining(task, None, RECIPE, student_seed=0, order_seed=0, accumulate=2)
    for training in (whole, passes):
        for module in training.student.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.train = lambda mode=True, own=module: own  # type: ignore[method-assign,misc]
                module.training = False  # its statistics would be those of a pass
        training.advance(2)
    for one, other in zip(whole.student.parameters(), passes.student.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-6)
    assert task.kind.loss_name in passes.meter.take()[1]


# What is multi-label's own


@pytest.mark.parametrize("case", ["plain", "ties", "missing class", "all positive"])
def test_average_precision_is_that_of_scikit_learn(case: str) -> None:
    from sklearn.metrics import average_precision_score

    generator = torch.Generator().manual_seed(len(case))
    scores = torch.randn(60, 5, generator=generator)
    targets = (torch.rand(60, 5, generator=generator) < 0.3).float()
    if case == "ties":
        scores = (2 * scores).round()
    if case == "missing class":
        targets[:, 2] = 0
    if case == "all positive":
        targets[:, 1] = 1
    found = average_precision(scores, targets)
    there = [k for k in range(5) if targets[:, k].any()]
    for k in there:
        assert float(found[k]) == pytest.approx(average_precision_score(targets[:, k], scores[:, k]), abs=1e-12)
    assert torch.isnan(found).tolist() == [k not in there for k in range(5)]
    expected = average_precision_score(targets[:, there], scores[:, there], average="macro")
    assert mean_average_precision(scores, targets) == pytest.approx(expected, abs=1e-12)
    assert mean_average_precision(scores[:, there] * 3 + 1, targets[:, there]) == pytest.approx(expected, abs=1e-12)


def test_scores_without_a_number_have_no_average_precision() -> None:
    scores = torch.tensor([[1.0, 2.0], [math.nan, 0.0]])
    assert math.isnan(mean_average_precision(scores, torch.ones(2, 2)))


def test_binary_cross_entropy_is_the_sum_in_plain_loops() -> None:
    generator = torch.Generator().manual_seed(1)
    scores, targets = torch.randn(5, 3, generator=generator), (torch.rand(5, 3, generator=generator) < 0.5).float()
    each = []
    for s, t in zip(scores.tolist(), targets.tolist(), strict=True):
        yes = [1 / (1 + math.exp(-value)) for value in s]
        each.append(-sum(math.log(p if has else 1 - p) for p, has in zip(yes, t, strict=True)) / 3)
    torch.testing.assert_close(binary_cross_entropy(scores, targets, "none"), torch.tensor(each))


@pytest.mark.parametrize(
    ("text", "operation"),
    [
        ("weight(1, kl(logits, 4))", "kl"),
        ("weight(1, hard(logits))", "hard"),
        ("add(weight(1, l2(pool)), weight(1, w_conf(l2(pool))))", "w_conf"),
        ("weight(1, l2(softmax_c(logits)))", "softmax_c"),
        ("weight(1, tckd(logits, 4))", "tckd"),
    ],
)
def test_operations_that_need_exclusive_classes_are_named(text: str, operation: str) -> None:
    with pytest.raises(ConfigError, match=f"it has `{operation}` on class scores, .*sigmoid_kl, or the method bkd"):
        check_tree(kind_of("multilabel"), parse(text), "it")
    check_tree(kind_of(), parse(text), "it")


@pytest.mark.parametrize(
    "text", ["weight(1, kl(pool, 4))", "weight(1, l2(logits))", "weight(1, w_sim(sigmoid_kl(logits, 4)))"]
)
def test_other_operations_hold_for_any_classes(text: str) -> None:
    check_tree(kind_of("multilabel"), parse(text), "it")


def test_no_file_of_the_kinds_knows_another_kind() -> None:
    folder = Path(__file__).parents[2] / "kdzero_gp" / "tasks"
    for name in kinds():
        for file in (folder / name).glob("*.py"):
            others = [other for other in kinds() if other != name]
            assert not any(f"tasks.{other}" in file.read_text() for other in others), file
