"""What a trained student is worth, lower is better."""

import math
from collections.abc import Callable, Mapping

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor, nn
from torch.nn import functional

from kdzero_gp.distiller.knowledge import Knowledge
from kdzero_gp.evaluate.gaps import cka_gap, sharpness_gap
from kdzero_gp.evaluate.measure import measure
from kdzero_gp.tasks.task import Task

Parts = Mapping[str, float]


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


def eq2(parts: Parts, reference: Parts) -> float:
    """KD-Zero's Eq. 2 as printed: the plain sum of cross-entropy, sharpness gap and CKA gap."""
    return parts["ce"] + parts["sharpness_gap"] + parts["cka_gap"]


def relative(parts: Parts, reference: Parts) -> float:
    """Cross-entropy and CKA gap, each relative to the student alone: 2 is the student alone, below is better.

    The sharpness gap is left out: a good distiller may sharpen or soften a student, and in the plain sum that one part
    outweighs the others.
    """
    return sum(_relative(name, parts, reference) for name in ("ce", "cka_gap"))


def tempered(parts: Parts, reference: Parts) -> float:
    """Cross-entropy at the best temperature, relative to the student alone: 1 is the student alone, below is better.

    Chosen on a sample of trees on which it ranked short trainings best; on fresh trees it is as good as the other sums
    where trainings are short, and better than the plain sum where they are long (`benchmarks/proxy_rank.py`).
    """
    return _relative("tempered_ce", parts, reference)


def _relative(name: str, parts: Parts, reference: Parts) -> float:
    return parts[name] / max(reference[name], SMALLEST)


SMALLEST = 1e-6
"""Least reference a part is divided by: a perfect student alone has gaps of zero."""

FITNESS: dict[str, Callable[[Parts, Parts], float]] = {"tempered": tempered, "relative": relative, "eq2": eq2}
"""Fitness functions of a candidate's parts and those of the student alone under the same training."""
