"""What a trained student says of a split."""

from __future__ import annotations

import math

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor, nn
from torch.nn import functional

from kdzero_gp.data import Dataset, Split, image_batches
from kdzero_gp.knowledge import Knowledge
from kdzero_gp.tasks.gaps import cka_gap, sharpness_gap
from kdzero_gp.tasks.task import Task


def measure(task: Task, student: nn.Module, split: str) -> Knowledge:
    """The student's pool and logits for a whole split, in evaluation mode, without gradient."""
    student.eval()
    names = [name for name in ("pool", "logits") if name in task.student_taps]
    with torch.no_grad(), task.reader(student, names) as reader:
        chunks = [reader(chunk) for chunk in task.chunks(split)]
    return Knowledge(**{name: torch.cat([chunk[name] for chunk in chunks]) for name in names})


def accuracy(task: Task, student: nn.Module, split: str) -> float:
    """Share of a split that the student gets right, 0 … 1."""
    logits = measure(task, student, split)["logits"]
    return float((logits.argmax(1) == task.labels(split)).double().mean())


def fitness_parts(task: Task, student: nn.Module, split: str = "val") -> dict[str, float]:
    """Cross-entropy (also at the best temperature), sharpness gap, CKA gap of the penultimate features, accuracy."""
    return _parts(task, measure(task, student, split), split)


def full_parts(task: Task, student: nn.Module, split: str) -> dict[str, float]:
    """The same and, where there are more than five classes, `top5`: how often the label is among the five highest."""
    knowledge = measure(task, student, split)
    parts = _parts(task, knowledge, split)
    if knowledge["logits"].shape[1] > 5:
        highest = knowledge["logits"].topk(5, dim=1).indices
        parts["top5"] = float((highest == task.labels(split).unsqueeze(1)).any(1).double().mean())
    return parts


def _parts(task: Task, knowledge: Knowledge, split: str) -> dict[str, float]:
    teacher = task.teacher_knowledge(split, tuple(knowledge))
    labels = task.labels(split)
    features = "pool" if "pool" in knowledge else "logits"
    with torch.no_grad():
        return {
            "ce": float(functional.cross_entropy(knowledge["logits"].double(), labels)),
            "tempered_ce": tempered_cross_entropy(knowledge["logits"], labels),
            "sharpness_gap": float(sharpness_gap(knowledge["logits"].double(), teacher["logits"].double())),
            "cka_gap": float(cka_gap(knowledge[features], teacher[features])),
            "accuracy": float((knowledge["logits"].argmax(1) == labels).double().mean()),
        }


def tempered_cross_entropy(logits: Tensor, labels: Tensor) -> float:
    """The cross-entropy of logits (N, K) divided by the one temperature in [1/64, 64] that minimises it.

    Distillers differ in how soft they make a student, which plain cross-entropy judges and accuracy ignores. One number
    is fitted on the whole split, so the fit is no advantage worth speaking of.
    Source: Guo et al., On Calibration of Modern Neural Networks (ICML 2017).
    """
    scores, labels = logits.detach().double().cpu(), labels.cpu()

    def at(log_sharpness: float) -> float:
        return float(functional.cross_entropy(scores * math.exp(log_sharpness), labels))

    if not bool(torch.isfinite(scores).all()):
        return math.nan
    return float(minimize_scalar(at, bounds=(-LOG_RANGE, LOG_RANGE), method="bounded").fun)


LOG_RANGE = math.log(64)


TOP = 5


def top_accuracies(task: Task, student: nn.Module, split: str) -> tuple[float, float | None]:
    """Shares of a split whose label has the highest score, and is among the five highest (None for five classes)."""
    scores = measure(task, student, split)["logits"]
    labels = task.labels(split)
    top1 = float((scores.argmax(1) == labels).double().mean())
    if scores.shape[1] <= TOP:
        return top1, None
    return top1, float((scores.topk(TOP, dim=1).indices == labels.unsqueeze(1)).any(1).double().mean())


@torch.no_grad()
def network_accuracy(model: nn.Module, dataset: Dataset, split: Split, *, batch_size: int = 500) -> float:
    """Share of `split` that `model`, put into evaluation mode, gets right, 0 … 1."""
    model.eval()
    device = next(model.parameters()).device
    right = 0
    images, labels = image_batches(dataset, split, device=device), split.labels.to(device)
    batches = torch.arange(len(split), device=device).split(batch_size)
    images.follow((batch, None) for batch in batches)
    for batch in batches:
        right += int((model(images(batch)).argmax(1) == labels[batch]).sum())
    return right / len(split)
