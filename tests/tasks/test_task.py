"""A task: what it hands out is what plain forward passes give, and what does not fit is refused."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from kdzero_gp.data import Dataset, load_dataset
from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.errors import KdzeroError, ModelError, TapError
from kdzero_gp.grammar.types import Logits, Map, Vector
from kdzero_gp.models import build
from kdzero_gp.tasks.recipe import Recipe
from kdzero_gp.tasks.task import CHUNK, Task

RECIPE = Recipe(epochs=1, batch_size=32, lr=0.1)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits", limit=CHUNK + 60)


def make(
    digits: Dataset, teacher: nn.Module | None = None, student: Callable[[], nn.Module] | None = None, amp: bool = False
) -> Task:
    torch.manual_seed(0)
    return Task(
        "pair",
        teacher or build("cnn4", num_classes=10, in_channels=1),
        student or (lambda: build("cnn2", num_classes=10, in_channels=1)),
        digits,
        recipe=RECIPE,
        proxy=RECIPE,
        amp=amp,
    )


@pytest.fixture(scope="module")
def task(digits: Dataset) -> Task:
    return make(digits)


def watched(model: nn.Module, path: str, side: str, images: Tensor) -> Tensor:
    """What a module gives, or takes, while the model runs: by a hook of the test's own."""
    seen: list[Tensor] = []
    module = dict(model.named_modules())[path]
    if side == "input":
        hook = module.register_forward_pre_hook(lambda _m, inputs: seen.append(inputs[0].clone()))
    else:
        hook = module.register_forward_hook(lambda _m, _inputs, output: seen.append(output.clone()))
    with torch.no_grad():
        model(images)
    hook.remove()
    return seen[-1]


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_the_kept_teacher_outputs_are_those_of_a_forward_pass(task: Task, split: str) -> None:
    data = getattr(task.data, split)
    images = (data.images.float() / task.data.scale - torch.tensor(task.data.mean).view(-1, 1, 1)) / torch.tensor(
        task.data.std
    ).view(-1, 1, 1)
    knowledge = task.teacher_knowledge(split, task.teacher_taps)
    assert tuple(knowledge) == tuple(task.teacher_taps) == ("stage1", "stage2", "stage3", "pool", "logits")
    for name, tap in task.teacher_taps.items():
        expected = watched(task.teacher, tap.path, tap.side, images)
        assert knowledge[name].shape == (len(data), *tap.shape)
        torch.testing.assert_close(knowledge[name], expected.reshape(knowledge[name].shape), rtol=1e-4, atol=1e-5)
        assert not knowledge[name].requires_grad
    torch.testing.assert_close(knowledge["logits"], task.teacher(images))


def test_teacher_outputs_are_computed_once(digits: Dataset) -> None:
    task = make(digits)
    calls: list[int] = []
    task.teacher.register_forward_hook(lambda *_: calls.append(1))
    first = task.teacher_knowledge("val", ["stage1", "logits"])
    passes = len(calls)
    assert passes == -(-len(digits.val) // CHUNK)
    again = task.teacher_knowledge("val", ["logits", "stage1"])
    assert len(calls) == passes
    assert again["stage1"].data_ptr() == first["stage1"].data_ptr()
    task.teacher_knowledge("val", ["stage1", "pool"])
    assert len(calls) == 2 * passes, "only for the tap that was missing"


def test_in_which_order_taps_are_asked_for_changes_nothing(digits: Dataset) -> None:
    one, other = make(digits), make(digits)
    together = one.teacher_knowledge("train", one.teacher_taps)
    for name in reversed(list(other.teacher_taps)):
        assert torch.equal(other.teacher_knowledge("train", [name])[name], together[name])


def test_the_teacher_is_frozen(task: Task) -> None:
    assert not task.teacher.training
    assert not any(parameter.requires_grad for parameter in task.teacher.parameters())


def test_an_unknown_tap_is_named_with_those_there_are(task: Task) -> None:
    with pytest.raises(TapError, match=r"no tap `stage9` in pair; it has stage1, stage2, stage3, pool, logits"):
        task.teacher_knowledge("val", ["stage1", "stage9"])


def test_students_depend_on_their_seed_alone(task: Task) -> None:
    def weights(seed: int) -> list[Tensor]:
        return list(task.student(seed).state_dict().values())

    torch.manual_seed(1)
    first, state = weights(7), torch.get_rng_state()
    torch.manual_seed(2)
    assert all(torch.equal(a, b) for a, b in zip(first, weights(7), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, weights(8), strict=True))
    torch.manual_seed(1)
    weights(3)
    assert torch.equal(torch.get_rng_state(), state), "the global random state is the caller's"


def test_images_are_normalised_by_the_training_split(task: Task) -> None:
    images = task.all_images("train")
    assert images.dtype == torch.float32
    assert images.shape == (CHUNK + 60, *task.data.image_shape)
    for channel in range(images.shape[1]):
        assert float(images[:, channel].mean()) == pytest.approx(0, abs=1e-4)
        assert float(images[:, channel].std()) == pytest.approx(1, abs=1e-3)
    for split in ("val", "test"):
        data = getattr(task.data, split)
        i = len(data) // 2
        expected = (data.images[i].double() / task.data.scale - task.data.mean[0]) / task.data.std[0]
        torch.testing.assert_close(task.all_images(split)[i].double(), expected, rtol=1e-5, atol=1e-6)
        assert torch.equal(task.targets(split), data.labels)


def test_the_first_images_are_those_of_the_split(task: Task) -> None:
    assert torch.equal(task.first_images("val", 3), task.all_images("val")[:3])
    assert len(task.first_images("val", 10**6)) == len(task.data.val)


def test_a_feed_serves_what_the_numbers_say(task: Task) -> None:
    numbers = torch.tensor([5, 0, 5])
    feed = task.feed(("pool", "logits"))
    images, labels, knowledge = feed(numbers, 7)
    assert len(feed) == CHUNK + 60
    assert torch.equal(images, task.all_images("train")[numbers])
    assert torch.equal(labels, task.data.train.labels[numbers])
    assert tuple(knowledge) == ("pool", "logits")
    assert torch.equal(knowledge["pool"], task.teacher_knowledge("train", ["pool"])["pool"][numbers])
    assert tuple(task.feed(())(numbers, 0)[2]) == ()
    with pytest.raises(TapError, match="no tap `stage9`"):
        task.feed(("stage9",))


@pytest.mark.parametrize(("amp", "dtype"), [(False, torch.float32), (True, torch.bfloat16)])
def test_students_run_in_half_precision_where_it_was_asked_for(digits: Dataset, amp: bool, dtype: torch.dtype) -> None:
    task = make(digits, amp=amp)
    images, labels, teacher = task.feed(("stage1", "logits"))(torch.arange(8), 0)
    distiller = Distiller("add(weight(1, kl(logits, 4)), weight(1, w_sim(l2(stage1))))")
    with task.autocast(), task.reader(task.student(0), ("stage1", "logits")) as reader:
        student = reader(images)
        loss = distiller(student, teacher, labels)
    assert student["logits"].dtype == dtype
    assert {tap.dtype for tap in teacher.values()} == {torch.float32}
    assert loss.dtype == torch.float32
    loss.backward()


def test_taps_have_the_types_of_the_grammar(task: Task) -> None:
    assert task.tap_types == {"stage1": Map, "stage2": Map, "stage3": Map, "pool": Vector, "logits": Logits}


def test_a_student_is_read_with_its_graph(task: Task) -> None:
    student = task.student(0)
    with task.reader(student, ("stage2", "logits")) as reader:
        knowledge = reader(task.all_images("train")[:4])
    assert tuple(knowledge) == ("stage2", "logits")
    knowledge["stage2"].sum().backward()
    assert next(student.parameters()).grad is not None


@pytest.mark.parametrize(("teacher_classes", "student_classes"), [(7, 10), (10, 12), (7, 7), (12, 12)])
def test_other_classes_are_refused(digits: Dataset, teacher_classes: int, student_classes: int) -> None:
    with pytest.raises(KdzeroError, match=f"{min(teacher_classes, student_classes)}|{max(teacher_classes, 12)}") as e:
        make(
            digits,
            build("cnn4", num_classes=teacher_classes, in_channels=1),
            lambda: build("cnn2", num_classes=student_classes, in_channels=1),
        )
    assert isinstance(e.value, ModelError | TapError)
    assert "classes" in str(e.value)


def test_a_network_whose_taps_cannot_be_found_is_named_by_its_role(digits: Dataset) -> None:
    class Pair(nn.Module):
        def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
            return images, images

    with pytest.raises(TapError, match=r"^teacher: "):
        make(digits, Pair())
    with pytest.raises(TapError, match=r"^student: "):
        make(digits, student=Pair)
