"""A task on streamed data: what it would be on the same images in memory, at every step, stopped or not."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from kdzero_gp.data import Augmentation, Dataset, load_dataset
from kdzero_gp.data.sources import folder
from kdzero_gp.data.sources.files import ImageFiles
from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.knowledge import Knowledge
from kdzero_gp.loops.single import Training
from kdzero_gp.methods.kd import kd
from kdzero_gp.models import build
from kdzero_gp.tasks.classification.measures import network_shares, student_shares
from kdzero_gp.tasks.classification.teacher import train_teacher
from kdzero_gp.tasks.recipe import Recipe
from kdzero_gp.tasks.task import Task

RECIPE = Recipe(epochs=3, batch_size=8, lr=0.05)
CROP_FLIP = Augmentation(padding=2, flip=True, views=3)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 pictures 16x16: bright ones and dark ones."""
    root = tmp_path_factory.mktemp("pictures")
    random = np.random.RandomState(0)
    for name, low in (("bright", 120), ("dark", 0)):
        (root / name).mkdir()
        for number in range(20):
            pixels = random.randint(low, low + 130, (16, 16, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    return root


@pytest.fixture
def load(root: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], Dataset]:
    def loaded(streamed: bool) -> Dataset:
        monkeypatch.setattr(folder, "MEMORY", 0 if streamed else 2**30)
        return load_dataset(f"folder:{root}")

    return loaded


def make_task(data: Dataset) -> Task:
    def student() -> torch.nn.Module:
        return build("cnn2", num_classes=2, in_channels=3)

    torch.manual_seed(0)
    teacher = build("cnn4", num_classes=2, in_channels=3)
    return Task("pair", teacher, student, data, recipe=RECIPE, proxy=RECIPE, augment=CROP_FLIP, cache_gb=0)


def make_training(data: Dataset) -> Training:
    task = make_task(data)
    distiller = Distiller(kd.tree(()))
    return Training(task, distiller, RECIPE, student_seed=1, order_seed=2)


def weights(training: Training) -> torch.Tensor:
    return torch.cat([value.flatten() for value in training.student.state_dict().values()])


def test_a_training_is_that_in_memory_stopped_or_not(load: Callable[[bool], Dataset]) -> None:
    kept, streamed, stopped = make_training(load(False)), make_training(load(True)), make_training(load(True))
    for training in (kept, streamed):
        training.advance(training.steps)
    assert torch.equal(weights(kept), weights(streamed))
    assert student_shares(kept.task, kept.student, "test") == student_shares(streamed.task, streamed.student, "test")
    stopped.advance(4)
    further = make_training(load(True))
    further.restore(stopped.state())
    for until in (5, further.steps):
        further.advance(until)
    assert torch.equal(weights(further), weights(kept))
    assert kept.step == further.step == kept.steps == 9


def test_knowledge_and_images_are_those_in_memory(load: Callable[[bool], Dataset]) -> None:
    kept, streamed = make_task(load(False)), make_task(load(True))
    assert streamed.online
    for split in ("train", "val", "test"):
        assert torch.equal(kept.all_images(split), streamed.all_images(split))
        one, other = (task.teacher_knowledge(split, ["logits", "pool"]) for task in (kept, streamed))
        assert torch.equal(one["logits"], other["logits"])
        assert torch.equal(torch.cat(list(kept.chunks(split))), torch.cat(list(streamed.chunks(split))))
    assert isinstance(one, Knowledge)
    assert torch.equal(kept.first_images("val", 2), streamed.first_images("val", 2))


def test_a_teacher_is_trained_and_measured_alike(load: Callable[[bool], Dataset]) -> None:
    states, shares = [], []
    for streamed in (False, True):
        data = load(streamed)
        torch.manual_seed(0)
        model = train_teacher(build("cnn2", num_classes=2, in_channels=3), data, RECIPE)
        states.append(torch.cat([value.flatten() for value in model.state_dict().values()]))
        shares.append([network_shares(model, data, split)["accuracy"] for split in (data.train, data.test)])
    assert torch.equal(*states)
    assert shares[0] == shares[1]
    assert shares[0][1] > 0.5


def test_a_training_decodes_what_it_needs_once(
    load: Callable[[bool], Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    training = make_training(load(True))
    seen: list[int] = []
    decode = ImageFiles.decode

    def counted(self: ImageFiles, number: int, *rest: object) -> object:
        seen.append(number)
        return decode(self, number, *rest)

    monkeypatch.setattr(ImageFiles, "decode", counted)
    for until in (2, 3, training.steps):
        training.advance(until)
        planned = [number for batch in training.order[:until] for number in batch.tolist()]
        assert sorted(seen) == sorted(planned)
