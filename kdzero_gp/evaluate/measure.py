"""What a trained student says of a split."""

import torch
from torch import nn

from kdzero_gp.distiller.knowledge import Knowledge
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
