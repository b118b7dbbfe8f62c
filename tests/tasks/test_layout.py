"""The memory layout of a pair's images: chosen by their size, and given up where a network cannot take it."""

import pytest
import torch
from torch import Tensor, nn

from kdzero_gp.data import Dataset, Split
from kdzero_gp.models import build
from kdzero_gp.tasks.layout import FEWEST, MOST, chunk_size
from kdzero_gp.tasks.recipe import Recipe
from kdzero_gp.tasks.task import Task

RECIPE = Recipe(epochs=1, batch_size=4, lr=0.1)
CPU = torch.device("cpu")


class Views(nn.Module):
    """A network that views its maps as vectors, which only the ordinary layout allows."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.fc = nn.Linear(4 * 16 * 16, 4)

    def forward(self, images: Tensor) -> Tensor:
        scores: Tensor = self.fc(self.conv(images).view(len(images), -1))
        return scores


def make(size: int, student: type[nn.Module] | None = None) -> Task:
    torch.manual_seed(0)
    split = Split(torch.randint(0, 256, (12, 3, size, size)).to(torch.uint8), torch.arange(12) % 4)
    data = Dataset("noise", 4, split, split, split, (0.5,) * 3, (0.2,) * 3, 255.0)
    build_student = student or (lambda: build("cnn2", num_classes=4))
    return Task("pair", build("cnn4", num_classes=4), build_student, data, recipe=RECIPE, proxy=RECIPE)


def test_large_images_lie_channels_last_and_so_do_the_maps() -> None:
    task = make(16)
    assert task.channels_last
    images, _, knowledge = task.feed(("stage1",))(torch.arange(4), 0)
    with task.reader(task.student(0), ("stage2",)) as reader:
        student = reader(images)
    for maps in (images, knowledge["stage1"], student["stage2"], task.all_images("val")):
        assert maps.is_contiguous(memory_format=torch.channels_last)
        assert not maps.is_contiguous()


def test_small_images_lie_as_usual() -> None:
    task = make(8)
    assert not task.channels_last
    assert task.feed(())(torch.arange(4), 0)[0].is_contiguous()


def test_a_network_that_needs_the_usual_layout_gets_it() -> None:
    task = make(16, Views)
    assert not task.channels_last
    images, labels, _ = task.feed(())(torch.arange(4), 0)
    assert task.student(0)(images).shape == (len(labels), 4)


def test_the_layout_changes_no_value() -> None:
    one, other = make(16), make(16, Views)
    assert torch.equal(one.all_images("train"), other.all_images("train"))
    ours, theirs = (task.teacher_knowledge("train", ("stage1", "logits")) for task in (one, other))
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name])


@pytest.mark.parametrize(("size", "chunk"), [(8, MOST), (32, 128), (224, FEWEST)])
def test_a_chunk_has_fewer_images_the_larger_they_are(size: int, chunk: int) -> None:
    assert chunk_size((3, size, size), CPU) == chunk
    assert chunk_size((3, size, size), torch.device("cuda")) == MOST


def test_chunks_are_all_images_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kdzero_gp.tasks.layout.MOST", 5)
    task = make(8)
    chunks = list(task.chunks("val"))
    assert [len(chunk) for chunk in chunks] == [5, 5, 2]
    assert torch.equal(torch.cat(chunks), task.all_images("val"))
