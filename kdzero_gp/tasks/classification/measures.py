"""The measures of a trained student on a split: cross-entropy, gaps to the teacher, accuracy."""

from __future__ import annotations

import math

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor, nn
from torch.nn import functional

from kdzero_gp.data import Dataset, Split
from kdzero_gp.knowledge import Knowledge
from kdzero_gp.taps.find import SCORES
from kdzero_gp.taps.read import POOL
from kdzero_gp.tasks.class_scores import FEATURES
from kdzero_gp.tasks.gaps import cka_gap, sharpness_gap
from kdzero_gp.tasks.kind import Measured
from kdzero_gp.tasks.measure import Measure
from kdzero_gp.tasks.whole_split import knowledge_of, outputs_of

ACCURACY = Measure("accuracy", "accuracy", "top-1", "top1")
"""Share of a split whose label has the highest score."""
TOP5 = Measure("top5", "top-5", "top-5", "top5")
"""Share of a split whose label is among the five highest scores; there is none for five classes or fewer."""
TOP = 5
LOG_RANGE = math.log(64)


def fitness_parts(task: Measured, student: nn.Module, split: str = "val") -> dict[str, float]:
    """Measures cross-entropy (also at the best temperature), sharpness gap, CKA gap and accuracy."""
    return _parts(task, knowledge_of(task, student, split, FEATURES), split)


def full_parts(task: Measured, student: nn.Module, split: str) -> dict[str, float]:
    """Measures the parts of `fitness_parts` and, for more than five classes, the top-5 accuracy."""
    knowledge = knowledge_of(task, student, split, FEATURES)
    return _parts(task, knowledge, split) | shares(knowledge[SCORES], task.targets(split))


def student_shares(task: Measured, student: nn.Module, split: str) -> dict[str, float]:
    """Measures accuracy and top-5 accuracy of a student."""
    return shares(knowledge_of(task, student, split, (SCORES,))[SCORES], task.targets(split))


def teacher_shares(task: Measured, split: str) -> dict[str, float]:
    """Measures accuracy and top-5 accuracy of the teacher."""
    return shares(task.teacher_knowledge(split, (SCORES,))[SCORES], task.targets(split))


def network_shares(model: nn.Module, data: Dataset, split: Split) -> dict[str, float]:
    """Measures accuracy and top-5 accuracy of a network by itself."""
    scores = outputs_of(model, data, split)
    return shares(scores, split.labels.to(scores.device))


def shares(scores: Tensor, labels: Tensor) -> dict[str, float]:
    """Computes top-1 and top-5 accuracy, 0 … 1, of scores (N, K) for labels (N,)."""
    found = {ACCURACY.key: float((scores.argmax(1) == labels).double().mean())}
    if scores.shape[1] > TOP:
        highest = scores.topk(TOP, dim=1).indices
        found[TOP5.key] = float((highest == labels.unsqueeze(1)).any(1).double().mean())
    return found


def _parts(task: Measured, knowledge: Knowledge, split: str) -> dict[str, float]:
    teacher = task.teacher_knowledge(split, tuple(knowledge))
    labels = task.targets(split)
    scores, features = knowledge[SCORES], POOL if POOL in knowledge else SCORES
    with torch.no_grad():
        return {
            "ce": float(functional.cross_entropy(scores.double(), labels)),
            "tempered_ce": tempered_cross_entropy(scores, labels),
            "sharpness_gap": float(sharpness_gap(scores.double(), teacher[SCORES].double())),
            "cka_gap": float(cka_gap(knowledge[features], teacher[features])),
            ACCURACY.key: float((scores.argmax(1) == labels).double().mean()),
        }


def tempered_cross_entropy(logits: Tensor, labels: Tensor) -> float:
    """Minimises the cross-entropy of logits (N, K) over one temperature in [1/64, 64].

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
