"""What a trained student is worth, lower is better."""

from collections.abc import Callable, Mapping

import torch
from torch import nn
from torch.nn import functional

from kdzero_gp.evaluate.gaps import cka_gap, sharpness_gap
from kdzero_gp.evaluate.train import measure
from kdzero_gp.tasks.task import Task

Parts = Mapping[str, float]


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


def eq2(parts: Parts, reference: Parts) -> float:
    """KD-Zero's Eq. 2 as printed: the plain sum of cross-entropy, sharpness gap and CKA gap."""
    return parts["ce"] + parts["sharpness_gap"] + parts["cka_gap"]


def relative(parts: Parts, reference: Parts) -> float:
    """Cross-entropy and CKA gap, each relative to the student alone: 2 is the student alone, below is better.

    The sharpness gap is measured and left out: a good distiller may sharpen or soften a student, and in the plain sum
    that one part outweighs the others. `benchmarks/proxy_rank.py` has the rank correlations that decided this.
    """
    return sum(parts[name] / max(reference[name], SMALLEST) for name in ("ce", "cka_gap"))


SMALLEST = 1e-6
"""Least reference a part is divided by: a perfect student alone has gaps of zero."""

FITNESS: dict[str, Callable[[Parts, Parts], float]] = {"relative": relative, "eq2": eq2}
"""Fitness functions of a candidate's parts and those of the student alone under the same training."""
