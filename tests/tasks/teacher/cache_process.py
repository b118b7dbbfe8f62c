"""A process that asks for teacher outputs kept in a file. Arguments: cache folder; seconds each chunk takes."""

import sys
import time

import torch
from torch import Tensor, nn

from kdzero_gp.data import Augmentation, Dataset, Split
from kdzero_gp.models import build
from kdzero_gp.tasks import layout
from kdzero_gp.tasks.recipe import Recipe
from kdzero_gp.tasks.task import Task

TINY = 1e-9
RECIPE = Recipe(epochs=1, batch_size=8, lr=0.1)
VIEWS = Augmentation(padding=1, flip=True, views=2)


def small_task(
    cache_dir: str, cache_gb: float = TINY, augment: Augmentation = VIEWS, teacher: nn.Module | None = None
) -> Task:
    """Random images of 8x8 in three chunks; the same in every process."""
    layout.MOST = 20
    torch.manual_seed(0)
    pixels = torch.randint(0, 256, (50, 3, 8, 8)).to(torch.uint8)
    split = Split(pixels, torch.arange(50) % 4)
    data = Dataset("noise", 4, split, split, split, (0.5,) * 3, (0.2,) * 3, 255.0)
    teacher = teacher or build("cnn4", num_classes=4)
    return Task(
        "small",
        teacher,
        lambda: build("cnn2", num_classes=4),
        data,
        recipe=RECIPE,
        proxy=RECIPE,
        augment=augment,
        cache_gb=cache_gb,
        cache_dir=cache_dir,
    )


def main() -> None:
    """Prints `chunk` for each forward pass of the teacher, at last the sum of what it was given."""
    task = small_task(sys.argv[1])

    def slow(_module: nn.Module, _inputs: tuple[Tensor, ...], _output: Tensor) -> None:
        print("chunk", flush=True)
        time.sleep(float(sys.argv[2]))

    task.teacher.register_forward_hook(slow)
    print("ready", flush=True)
    _, _, knowledge = task.feed(("stage1", "logits"))(torch.arange(50), 1)
    print(repr([float(tap.double().sum()) for tap in knowledge.values()]), flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
