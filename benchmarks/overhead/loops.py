"""One training step in three forms: the student alone, a candidate of the search, and public frameworks' usual loop."""

import time
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from benchmarks.overhead.pair import BATCH, MEAN, RECIPE, SIZE, STD
from kdzero_gp import Distiller, Tree
from kdzero_gp.data import Split
from kdzero_gp.evaluate.screen import Screening
from kdzero_gp.loops.single import Training
from kdzero_gp.tasks.task import Task

TAU = 4.0
KD = f"weight(1, kl(logits, {TAU:g}))"
"""What both loops of the comparison train with, beside the cross-entropy."""
Step = Callable[[], object]


def own_step(task: Task, candidate: tuple[Tree | str, Screening | None] | None) -> Step:
    """A step of the search's own training; None is the student alone."""
    distiller = None
    if candidate is not None:
        tree, screening = candidate
        distiller = Distiller(tree, calibration=screening.calibration if screening else None, seed=0)
    training = Training(task, distiller, RECIPE, student_seed=0, order_seed=0)
    return lambda: training.advance(training.step + 1)


class Images(Dataset[tuple[Tensor, int]]):
    """A split as public frameworks hold it: an image is transformed by itself each time it is asked for."""

    def __init__(self, split: Split) -> None:
        self.pixels = split.images[:].permute(0, 2, 3, 1).contiguous().numpy()
        self.labels = split.labels.tolist()
        self.transform = transforms.Compose(
            [
                transforms.ToPILImage(),
                transforms.RandomCrop(SIZE, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(MEAN, STD),
            ]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        return self.transform(self.pixels[number]), self.labels[number]


def usual_batches(task: Task) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches for ever, by torch's own loader in this process."""
    loader = DataLoader(Images(task.data.train), BATCH, shuffle=True, drop_last=True)
    while True:
        yield from loader


def usual_step(task: Task) -> Step:
    """Hinton's KD as written everywhere: a PIL pipeline, the teacher run on every batch, torch's default optimiser."""
    student = task.student(0).train()
    batches = usual_batches(task)
    optimiser = torch.optim.SGD(
        student.parameters(),
        lr=RECIPE.lr / 10,
        momentum=RECIPE.momentum,
        nesterov=RECIPE.nesterov,
        weight_decay=RECIPE.weight_decay,
    )

    def step() -> None:
        images, labels = (tensor.to(task.device) for tensor in next(batches))
        with torch.no_grad():
            taught = task.teacher(images)
        scores = student(images)
        soft = F.kl_div(F.log_softmax(scores / TAU, 1), F.softmax(taught / TAU, 1), reduction="batchmean")
        loss = F.cross_entropy(scores, labels) + TAU**2 * soft
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return step


def seconds(step: Step, device: torch.device) -> float:
    """Of one call, the work of a GPU included."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    started = time.perf_counter()
    step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started


def interleaved(steps: Sequence[Step], rounds: int, device: torch.device) -> list[list[float]]:
    """Seconds of each step in every round; the steps take turns, so that what else the machine does hits all alike."""
    for step in steps:
        step()  # pays for caches and for the choice of algorithms
    times: list[list[float]] = [[] for _ in steps]
    for _ in range(rounds):
        for taken, step in zip(times, steps, strict=True):
            taken.append(seconds(step, device))
    return times
