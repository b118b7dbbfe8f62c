"""Students trained in one program end up where each would have alone, and do not touch one another."""

import copy
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from kdzero_gp import Vector, distance
from kdzero_gp.data import Dataset
from kdzero_gp.data.dataset import Split
from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.errors import ConfigError
from kdzero_gp.grammar.registry import active_registry
from kdzero_gp.loops.fused.stack import FuseError
from kdzero_gp.loops.fused.training import FusedTraining
from kdzero_gp.loops.fused.ways import WAYS, Way
from kdzero_gp.loops.single import DeadlineError, DivergedError, Training
from kdzero_gp.models import build
from kdzero_gp.tasks.recipe import Recipe
from kdzero_gp.tasks.task import Task

RECIPE = Recipe(epochs=5, batch_size=32, lr=0.1, clip=1.0, ce_weight=0.7)
SEEDS = {"student_seed": 3, "order_seed": 4}
STEPS = 20
# random masks; aligned maps and vectors; a learned operation; weights that read labels; several terms
TREES = (
    "add(weight(1, l2(drop(stage1))), weight(0.5, cosine(mask(stage2))))",
    "add(weight(10, l2(hint(stage3))), weight(1, w_focal(kl(logits, 4))))",
    None,
    "add(weight(1, w_conf(hard(logits))), weight(2, l1(pool)))",
)
State = dict[str, Tensor]


class Double(nn.Module):
    """A network in float64 behind images in float32."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net.double()

    def forward(self, images: Tensor) -> Tensor:
        scores: Tensor = self.net(images.double())
        return scores


def random_images(side: int, channels: int) -> Dataset:
    generator = torch.Generator().manual_seed(side)
    count = 160
    labels = torch.arange(count) % 4

    def split() -> Split:
        size = (count, channels, side, side)
        return Split(torch.randint(256, size, generator=generator).to(torch.uint8), labels)

    return Dataset("random", 4, split(), split(), split(), (0.5,) * channels, (0.3,) * channels, 255.0)


def make_task(data: Dataset, teacher: str, student: str, dtype: torch.dtype, recipe: Recipe = RECIPE) -> Task:
    def network(name: str) -> nn.Module:
        net = build(name, num_classes=data.num_classes, in_channels=data.image_shape[0])
        return Double(net) if dtype == torch.float64 else net

    torch.manual_seed(0)
    return Task(student, network(teacher), partial(network, student), data, recipe=recipe, proxy=recipe)


@pytest.fixture(scope="module")
def digits(few_digits: Dataset) -> dict[torch.dtype, Task]:
    return {dtype: make_task(few_digits, "cnn4", "cnn2", dtype) for dtype in (torch.float64, torch.float32)}


@pytest.fixture(scope="module")
def photographs() -> Task:
    return make_task(random_images(16, 3), "resnet14", "resnet8", torch.float64)


def make_distillers(task: Task, trees: tuple[str | None, ...] = TREES) -> list[Distiller | None]:
    """Prepared as the training would, but with aligners in the student's dtype."""
    student = task.student(0)
    images, _, teacher = task.feed(task.teacher_taps)(torch.arange(4), 0)
    with torch.no_grad(), task.reader(student, task.student_taps) as reader:
        knowledge = reader(images)
    made: list[Distiller | None] = []
    for tree in trees:
        distiller = None if tree is None else Distiller(tree, seed=len(tree)).prepare(knowledge, teacher)
        made.append(None if distiller is None else distiller.to(knowledge["logits"].dtype))
    return made


def serial(task: Task, trees: tuple[str | None, ...] = TREES, until: int = STEPS) -> list[State]:
    states = []
    for distiller in make_distillers(task, trees):
        training = Training(task, distiller, task.recipe, **SEEDS)
        training.advance(until)
        states.append(training.state())
    return states


def fused(task: Task, way: Way, trees: tuple[str | None, ...] = TREES) -> FusedTraining:
    return FusedTraining(task, make_distillers(task, trees), task.recipe, way=way, **SEEDS)


def assert_equal(ours: list[State], theirs: list[State], tolerance: float) -> None:
    assert len(ours) == len(theirs)
    for mine, twin in zip(ours, theirs, strict=True):
        assert mine.keys() == twin.keys()
        for name, value in twin.items():
            assert mine[name].dtype == value.dtype
            assert mine[name].shape == value.shape
            torch.testing.assert_close(
                mine[name], value, rtol=tolerance, atol=tolerance, msg=lambda text, name=name: f"{name}: {text}"
            )


@pytest.mark.parametrize("way", WAYS)
def test_equals_serial_training_in_float64(digits: dict[torch.dtype, Task], way: Way) -> None:
    together = fused(digits[torch.float64], way)
    together.advance(STEPS)
    assert together.alive == [True] * 4
    assert_equal(together.states(), serial(digits[torch.float64]), 1e-9)


@pytest.mark.parametrize("way", WAYS)
def test_equals_serial_training_in_float32(digits: dict[torch.dtype, Task], way: Way) -> None:
    together = fused(digits[torch.float32], way)
    together.advance(6)
    assert_equal(together.states(), serial(digits[torch.float32], until=6), 1e-3)


@pytest.mark.parametrize("way", WAYS)
def test_equals_serial_training_of_a_resnet(photographs: Task, way: Way) -> None:
    trees = TREES[1:]
    together = fused(photographs, way, trees)
    together.advance(5)
    assert_equal(together.states(), serial(photographs, trees, until=5), 1e-9)


@pytest.mark.parametrize("way", WAYS)
def test_one_student(digits: dict[torch.dtype, Task], way: Way) -> None:
    for trees in ((TREES[0],), (None,)):
        together = fused(digits[torch.float64], way, trees)
        together.advance(7)
        assert_equal(together.states(), serial(digits[torch.float64], trees, until=7), 1e-9)


@pytest.mark.parametrize("way", WAYS)
def test_states_go_back_and_forth_between_serial_and_fused(digits: dict[torch.dtype, Task], way: Way) -> None:
    task = digits[torch.float64]
    whole = serial(task, until=12)
    first = fused(task, way)
    first.advance(4)
    middle = []
    for distiller, state in zip(make_distillers(task), first.states(), strict=True):
        training = Training(task, distiller, task.recipe, **SEEDS)
        training.restore(state)
        training.advance(8)
        middle.append(training.state())
    last = fused(task, way)
    last.advance(2)  # what it did before must not matter
    last.restore(middle)
    assert last.step == 8
    last.advance(12)
    assert_equal(last.states(), whole, 1e-9)


@pytest.mark.parametrize("way", WAYS)
def test_restoring_the_start_forgets_the_momentum(digits: dict[torch.dtype, Task], way: Way) -> None:
    task = digits[torch.float64]
    training = fused(task, way)
    start = training.states()
    assert not any(name.startswith("momentum.") for name in start[0])
    training.advance(3)
    training.restore(start)
    training.advance(3)
    assert_equal(training.states(), serial(task, until=3), 1e-9)


@pytest.mark.parametrize("way", WAYS)
def test_students_have_the_current_weights(digits: dict[torch.dtype, Task], way: Way) -> None:
    training = fused(digits[torch.float32], way)
    training.advance(3)
    for student, state in zip(training.students(), training.states(), strict=True):
        for name, value in student.state_dict().items():
            assert torch.equal(value, state[f"student.{name}"])
    first, second = training.students()[:2]
    assert not torch.equal(next(first.parameters()), next(second.parameters()))


@pytest.fixture
def _troublemakers() -> Iterator[None]:
    """Distances that give what no loss should, each only on a whole batch, after the probe at registration."""
    with active_registry().copy().active():

        @distance(Vector)
        def becomes_nan(student: Tensor, teacher: Tensor) -> Tensor:
            return (student - teacher).square().mean(1) * (float("nan") if len(student) > 8 else 1.0)

        @distance(Vector)
        def becomes_infinite(student: Tensor, teacher: Tensor) -> Tensor:
            return (student - teacher).square().mean(1) * (float("inf") if len(student) > 8 else 1.0)

        @distance(Vector)
        def raises(student: Tensor, teacher: Tensor) -> Tensor:
            if len(student) > 8:
                raise LookupError("no such thing")
            return (student - teacher).square().mean(1)

        @distance(Vector)
        def tosses(student: Tensor, teacher: Tensor) -> Tensor:
            return (student - teacher).square().mean(1) * (torch.rand(()) if len(student) > 8 else 1.0)

        yield


@pytest.mark.usefixtures("_troublemakers")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("trouble", ["becomes_nan(pool)", "becomes_infinite(pool)", "raises(pool)"])
def test_trouble_stays_with_its_student(digits: dict[torch.dtype, Task], way: Way, trouble: str) -> None:
    task = digits[torch.float64]
    trees = (TREES[0], f"weight(1, {trouble})", TREES[1])
    training = fused(task, way, trees)
    training.advance(10)
    assert training.alive == [True, False, True]
    assert not any(bool(value.any()) for value in training.students()[1].parameters()), "it stays at zero"
    others = [training.states()[0], training.states()[2]]
    assert_equal(others, serial(task, (trees[0], trees[2]), until=10), 1e-9)


@pytest.mark.usefixtures("_troublemakers")
def test_the_error_is_that_of_serial_training(digits: dict[torch.dtype, Task]) -> None:
    task = digits[torch.float32]
    trees = ("weight(1, becomes_nan(pool))", None, "weight(1, raises(pool))")
    training = FusedTraining(task, make_distillers(task, trees), RECIPE, **SEEDS)
    training.advance(STEPS)
    alone = Training(task, make_distillers(task, trees)[0], RECIPE, **SEEDS)
    with pytest.raises(DivergedError) as raised:
        alone.advance(STEPS)
    assert str(training.errors[0]) == str(raised.value)
    assert training.errors[1] is None
    assert isinstance(training.errors[2], LookupError)


@pytest.mark.usefixtures("_troublemakers")
def test_restoring_brings_all_back_to_life(digits: dict[torch.dtype, Task]) -> None:
    task = digits[torch.float64]
    training = FusedTraining(task, make_distillers(task, ("weight(1, becomes_nan(pool))", None)), RECIPE, **SEEDS)
    start = training.states()
    training.advance(5)
    training.restore(start)
    assert training.alive == [True, True]
    training.advance(5)
    assert_equal(training.states()[1:], serial(task, (None,), until=5), 1e-9)


@pytest.mark.usefixtures("_troublemakers")
def test_shared_random_numbers_are_refused(digits: dict[torch.dtype, Task]) -> None:
    task = digits[torch.float32]
    training = FusedTraining(task, make_distillers(task, ("weight(1, tosses(pool))", None)), RECIPE, **SEEDS)
    with pytest.raises(FuseError, match="random=True"):
        training.advance(2)


def test_states_of_different_steps_are_refused(digits: dict[torch.dtype, Task]) -> None:
    training = FusedTraining(digits[torch.float32], make_distillers(digits[torch.float32]), RECIPE, **SEEDS)
    states = training.states()
    states[1]["step"] = torch.tensor(5)
    with pytest.raises(ConfigError, match=r"0, 5"):
        training.restore(states)
    with pytest.raises(ConfigError, match="4 students"):
        training.restore(states[:1])


def test_the_deadline_is_kept(digits: dict[torch.dtype, Task]) -> None:
    training = FusedTraining(digits[torch.float32], make_distillers(digits[torch.float32]), RECIPE, **SEEDS)
    with pytest.raises(DeadlineError, match="0 s were over after 1 of"):
        training.advance(STEPS, seconds=0)


def test_global_randomness_is_left_alone(digits: dict[torch.dtype, Task]) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    training = FusedTraining(digits[torch.float32], make_distillers(digits[torch.float32]), RECIPE, **SEEDS)
    training.advance(2)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.gpu
@pytest.mark.parametrize("way", WAYS)
def test_equals_serial_training_on_a_gpu(few_digits: Dataset, way: Way) -> None:
    task = make_task(few_digits, "cnn4", "cnn2", torch.float64)
    torch.manual_seed(0)
    there = Task(
        "gpu",
        copy.deepcopy(task.teacher),
        task._build_student,
        few_digits,
        recipe=RECIPE,
        proxy=RECIPE,
        device=torch.device("cuda"),
    )
    together = fused(there, way)
    together.advance(5)
    assert_equal(together.states(), serial(there, until=5), 1e-8)


@pytest.mark.parametrize("way", WAYS)
def test_each_student_may_have_weights_and_a_warm_up_of_its_own(digits: dict[torch.dtype, Task], way: Way) -> None:
    """As hand-designed methods have them: KD takes a tenth of the cross-entropy, DKD begins softly."""
    task = digits[torch.float64]
    ce_weights, warmups = (0.1, 1.0, 0.5, 2.0), (0, 8, 5, 3)
    together = FusedTraining(
        task, make_distillers(task), task.recipe, ce_weights=ce_weights, distiller_warmups=warmups, way=way, **SEEDS
    )
    together.advance(12)
    states = []
    for distiller, ce_weight, warmup in zip(make_distillers(task), ce_weights, warmups, strict=True):
        own = replace(task.recipe, ce_weight=ce_weight)
        training = Training(task, distiller, own, distiller_warmup=warmup, **SEEDS)
        training.advance(12)
        states.append(training.state())
    assert_equal(together.states(), states, 1e-9)
