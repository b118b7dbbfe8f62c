"""Each network of a pair gets the same views in its own size and normalisation."""

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from kdzero_gp.data import Augmentation, Dataset, Split
from kdzero_gp.data.sources.folder import IMAGENET
from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.errors import ConfigError, ModelError
from kdzero_gp.loops.single import Training
from kdzero_gp.models import build
from kdzero_gp.tasks.class_scores import FEATURES
from kdzero_gp.tasks.input import InputSpec, NetworkInput, adapts_itself, parse_normalisation
from kdzero_gp.tasks.recipe import Recipe
from kdzero_gp.tasks.task import Task
from kdzero_gp.tasks.teacher.pretrain import cached_teacher
from kdzero_gp.tasks.whole_split import knowledge_of

RECIPE = Recipe(epochs=2, batch_size=4, lr=0.05)
MEAN, STD = (0.4, 0.5, 0.3), (0.3, 0.2, 0.25)


def photographs(size: int = 8, count: int = 12) -> Dataset:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, 3, size, size), generator=generator).to(torch.uint8)
    split = Split(images, torch.arange(count) % 4)
    return Dataset("photographs", 4, split, split, split, MEAN, STD, 255.0)


def make(teacher_input: InputSpec | None = None, student_input: InputSpec | None = None, size: int = 8) -> Task:
    torch.manual_seed(0)
    return Task(
        "pair",
        build("cnn4", num_classes=4),
        lambda: build("cnn2", num_classes=4),
        photographs(size),
        recipe=RECIPE,
        proxy=RECIPE,
        augment=Augmentation(2, flip=True, views=2),
        teacher_input=teacher_input,
        student_input=student_input,
    )


def test_the_normalisation_is_the_networks_own() -> None:
    data = photographs()
    spec = InputSpec(mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7))
    ours = NetworkInput(spec, data)(data.normalise(data.train.images))
    for channel, (mean, std) in enumerate(zip((0.1, 0.2, 0.3), (0.5, 0.6, 0.7), strict=True)):
        expected = (data.train.images[:, channel].double() / 255 - mean) / std
        torch.testing.assert_close(ours[:, channel].double(), expected, rtol=1e-5, atol=1e-5)


def test_enlarging_is_bilinear_by_hand() -> None:
    data = photographs(2)
    images = data.normalise(data.train.images)
    enlarged = NetworkInput(InputSpec((4, 4)), data)(images)
    for row in range(4):
        for column in range(4):
            y, x = (min(max((place + 0.5) / 2 - 0.5, 0.0), 1.0) for place in (row, column))
            top = images[:, :, 0, 0] * (1 - x) + images[:, :, 0, 1] * x
            bottom = images[:, :, 1, 0] * (1 - x) + images[:, :, 1, 1] * x
            torch.testing.assert_close(enlarged[:, :, row, column], top * (1 - y) + bottom * y)


def test_what_becomes_smaller_is_not_left_out() -> None:
    data = photographs(8)
    images = torch.zeros(1, 3, 8, 8)
    images[..., 3, 3] = 1  # lies between the samples of a resize without antialiasing
    assert float(NetworkInput(InputSpec((2, 2)), data)(images).sum()) > 0.1


def test_a_network_that_wants_what_there_is_gets_the_very_same() -> None:
    data = photographs()
    images = data.normalise(data.train.images)
    for spec in (InputSpec(), InputSpec((8, 8)), InputSpec(mean=MEAN, std=STD)):
        adapt = NetworkInput(spec, data)
        assert adapt.unchanged
        assert adapt(images) is images
        assert adapt.attach(nn.Identity()) is None


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"size": (0, 4)}, "input size is 0x4"),
        ({"mean": (0.5,)}, "both or neither"),
        ({"mean": (0.5,), "std": (0.0,)}, "std above 0"),
        ({"mean": (float("nan"),), "std": (1.0,)}, "finite"),
    ],
)
def test_impossible_inputs(spec: dict[str, tuple[float, ...]], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        InputSpec(**spec)  # type: ignore[arg-type]


def test_constants_for_other_channels_are_refused() -> None:
    with pytest.raises(ConfigError, match="photographs, which have 3 channels"):
        NetworkInput(InputSpec(mean=(0.5,), std=(0.5,)), photographs())


def test_both_networks_get_the_same_view() -> None:
    """The feed's images are one augmented view; the teacher's knowledge is of that view in the teacher's input."""
    spec = InputSpec((16, 16), (0.1, 0.2, 0.3), (0.5, 0.6, 0.7))
    task, plain = make(spec, InputSpec((12, 12))), make()
    for epoch in range(2):
        numbers = torch.tensor([3, 0, 7])
        images, _, knowledge = task.feed(("stage1", "logits"))(numbers, epoch)
        assert torch.equal(images, plain.feed(())(numbers, epoch)[0])
        raw = images * torch.tensor(STD).view(3, 1, 1) + torch.tensor(MEAN).view(3, 1, 1)
        wanted = (raw - torch.tensor((0.1, 0.2, 0.3)).view(3, 1, 1)) / torch.tensor((0.5, 0.6, 0.7)).view(3, 1, 1)
        wanted = nn.functional.interpolate(wanted, (16, 16), mode="bilinear")
        with torch.no_grad():
            torch.testing.assert_close(knowledge["logits"], task.teacher(wanted), rtol=1e-4, atol=1e-5)
        assert knowledge["stage1"].shape == (3, 4, 16, 16)
        student = task.student(0).eval()
        with task.reader(student, ("stage1", "logits")) as reader:
            theirs = reader(images)
        assert theirs["stage1"].shape == (3, 2, 12, 12)
        bare = build("cnn2", num_classes=4).eval()
        bare.load_state_dict(student.state_dict())
        enlarged = nn.functional.interpolate(images, (12, 12), mode="bilinear")
        torch.testing.assert_close(theirs["logits"], bare(enlarged))


def test_names_of_weights_and_taps_stay_and_copies_adapt_too() -> None:
    task = make(student_input=InputSpec((16, 16)))
    student = task.student(0)
    assert list(student.state_dict()) == list(build("cnn2", num_classes=4).state_dict())
    assert adapts_itself(student)
    assert [tap.path for tap in task.student_taps.values()][:3] == ["stage1", "stage2", "stage3"]
    images = task.first_images("val", 2)
    twin = copy.deepcopy(student.eval())
    assert torch.equal(twin(images), student(images))
    with task.reader(student, ("stage1",)), task.reader(student, ("stage1",)) as reader:  # no second time
        assert reader(images)["stage1"].shape[2:] == (16, 16)
    restored = build("cnn2", num_classes=4).eval()  # such as one with weights out of a file
    restored.load_state_dict(student.state_dict())
    with task.reader(restored, ("logits",)) as reader:
        assert torch.equal(reader(images)["logits"], student(images))


def test_it_trains_and_is_measured_in_its_own_size() -> None:
    seen: set[tuple[int, ...]] = set()

    class Watched(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = build("cnn2", num_classes=4)

        def forward(self, images: Tensor) -> Tensor:
            seen.add(tuple(images.shape[1:]))
            scores: Tensor = self.net(images)
            return scores

    torch.manual_seed(0)
    task = Task(
        "pair", build("cnn4", num_classes=4), Watched, photographs(), recipe=RECIPE, proxy=RECIPE,
        student_input=InputSpec((12, 12)),
    )  # fmt: skip
    seen.clear()  # the look for taps shows images of another size too
    distiller = Distiller("add(weight(1, kl(logits, 4)), weight(1, l2(stage1)))")
    training = Training(task, distiller, RECIPE, student_seed=0, order_seed=0)
    training.advance(training.steps)
    knowledge_of(task, training.student, "test", FEATURES)
    assert seen == {(3, 12, 12)}


def test_a_large_input_is_computed_in_smaller_chunks() -> None:
    task = make(InputSpec((128, 128)))
    assert max(len(chunk) for chunk in task.chunks("val")) == 12
    assert task._teacher_chunk < task._student_chunk


def test_what_the_teacher_gets_is_part_of_its_outputs_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDZERO_GP_CACHE", str(tmp_path))
    plain, same, larger, other = (
        make(), make(InputSpec((8, 8))), make(InputSpec((16, 16))), make(InputSpec(mean=(0.1,) * 3, std=(0.2,) * 3)),
    )  # fmt: skip
    identities = [task._teacher_files().identity for task in (plain, same, larger, other)]
    assert identities[0] == identities[1]
    assert len(set(identities)) == 3


def test_a_teacher_is_trained_in_its_own_input(tmp_path: Path) -> None:
    data, spec = photographs(), InputSpec((16, 16), (0.1,) * 3, (0.4,) * 3)
    recipe = Recipe(epochs=1, batch_size=4, lr=0.1)

    def teacher(spec: InputSpec | None, recipe: Recipe = recipe) -> nn.Module:
        return cached_teacher("cnn2", data, cache_dir=tmp_path, recipe=recipe, spec=spec)

    ours = teacher(spec)
    assert not adapts_itself(ours)
    plain = teacher(None)
    assert len(list(tmp_path.glob("*.safetensors"))) == 2
    teacher(InputSpec((8, 8)))  # the same as none
    assert len(list(tmp_path.glob("*.safetensors"))) == 2

    images = NetworkInput(spec, data)(data.normalise(data.train.images))
    by_hand = build_seeded("cnn2")
    rates = iter(recipe.learning_rates(3))
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    optimiser = torch.optim.SGD(by_hand.parameters(), lr=1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    by_hand.train()
    for batch in order.split(4):
        optimiser.param_groups[0]["lr"] = next(rates)
        loss = nn.functional.cross_entropy(by_hand(images[batch]), data.train.labels[batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    for key, value in ours.state_dict().items():
        torch.testing.assert_close(value, by_hand.state_dict()[key], rtol=1e-3, atol=1e-4)
    assert not torch.allclose(ours.fc.weight, plain.fc.weight)  # type: ignore[arg-type, union-attr]


def build_seeded(name: str) -> nn.Module:
    torch.manual_seed(0)
    return build(name, num_classes=4)


def test_a_student_of_another_task_is_no_teacher() -> None:
    first = make(student_input=InputSpec((16, 16)))
    with pytest.raises(ModelError, match="adapts its images by itself"):
        Task(
            "chain", first.student(0), lambda: build("cnn2", num_classes=4), photographs(), recipe=RECIPE, proxy=RECIPE
        )


def test_normalisations_by_name_and_by_number() -> None:
    assert parse_normalisation("data") is None
    assert parse_normalisation("imagenet") == (IMAGENET.mean, IMAGENET.std)
    assert parse_normalisation("0.5,0.25,0/1,2,.5") == ((0.5, 0.25, 0.0), (1.0, 2.0, 0.5))
    for text, message in (
        ("imagnet", "must be data, .*cifar10, cifar100, .*imagenet, .*or mean.*did you mean imagenet"),
        ("0.5", "must be data"),
        ("0.5/0.2,0.3", "as many standard deviations as means"),
        ("0.5/0", "all above 0"),
        ("0.5/nan", "all above 0"),
    ):
        with pytest.raises(ConfigError, match=message):
            parse_normalisation(text)
