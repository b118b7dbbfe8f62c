"""What a trained student is worth, lower is better."""

import torch
from torch import nn
from torch.nn import functional

from kdzero_gp.evaluate.gaps import cka_gap, sharpness_gap
from kdzero_gp.evaluate.train import measure
from kdzero_gp.tasks.task import Task


def fitness_parts(task: Task, student: nn.Module, split: str = "val") -> dict[str, float]:
    """Cross-entropy, sharpness gap, CKA gap of the penultimate features, and accuracy on a split."""
    knowledge = measure(task, student, split)
    teacher = task.teacher_knowledge(split, tuple(knowledge))
    labels = task.labels(split)
    features = "pool" if "pool" in knowledge else "logits"
    with torch.no_grad():
        return {
            "ce": float(functional.cross_entropy(knowledge["logits"].double(), labels)),
            "sharpness_gap": float(sharpness_gap(knowledge["logits"].double(), teacher["logits"].double())),
            "cka_gap": float(cka_gap(knowledge[features], teacher[features])),
            "accuracy": float((knowledge["logits"].argmax(1) == labels).double().mean()),
        }


def eq2(parts: dict[str, float]) -> float:
    """KD-Zero's Eq. 2: the plain sum of cross-entropy, sharpness gap and CKA gap."""
    return parts["ce"] + parts["sharpness_gap"] + parts["cka_gap"]
