"""The measures of a trained student on a split: binary cross-entropy, gap to the teacher, mean average precision."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from kdzero_gp.data import Dataset, Split
from kdzero_gp.taps.find import SCORES
from kdzero_gp.taps.read import POOL
from kdzero_gp.tasks.class_scores import FEATURES
from kdzero_gp.tasks.gaps import cka_gap
from kdzero_gp.tasks.kind import Measured
from kdzero_gp.tasks.measure import Measure
from kdzero_gp.tasks.multilabel.loss import binary_cross_entropy
from kdzero_gp.tasks.whole_split import knowledge_of, outputs_of

MAP = Measure("map", "mAP", "mAP", "map")
"""Mean average precision over the classes that occur in the split."""


def student_parts(task: Measured, student: nn.Module, split: str) -> dict[str, float]:
    """Measures binary cross-entropy, CKA gap of the penultimate features, and mean average precision."""
    knowledge = knowledge_of(task, student, split, FEATURES)
    teacher, targets = task.teacher_knowledge(split, tuple(knowledge)), task.targets(split)
    features = POOL if POOL in knowledge else SCORES
    with torch.no_grad():
        return {
            "bce": float(binary_cross_entropy(knowledge[SCORES].double(), targets)),
            "cka_gap": float(cka_gap(knowledge[features], teacher[features])),
            MAP.key: mean_average_precision(knowledge[SCORES], targets),
        }


def student_precision(task: Measured, student: nn.Module, split: str) -> dict[str, float]:
    """Measures the mean average precision of a student."""
    scores = knowledge_of(task, student, split, (SCORES,))[SCORES]
    return {MAP.key: mean_average_precision(scores, task.targets(split))}


def teacher_precision(task: Measured, split: str) -> dict[str, float]:
    """Measures the mean average precision of the teacher."""
    scores = task.teacher_knowledge(split, (SCORES,))[SCORES]
    return {MAP.key: mean_average_precision(scores, task.targets(split))}


def network_precision(model: nn.Module, data: Dataset, split: Split) -> dict[str, float]:
    """Measures the mean average precision of a network by itself."""
    scores = outputs_of(model, data, split)
    return {MAP.key: mean_average_precision(scores, split.labels.to(scores.device))}


def mean_average_precision(scores: Tensor, targets: Tensor) -> float:
    """Computes mean average precision over the classes with images, 0 … 1; NaN where a score is NaN or none has any."""
    if bool(torch.isnan(scores).any()):
        return math.nan
    return float(average_precision(scores, targets).nanmean())


def average_precision(scores: Tensor, targets: Tensor) -> Tensor:
    """Computes the average precision of every class, (K,) float64; NaN for a class without images.

    The sum of (R_n - R_(n-1)) P_n over the scores as thresholds, without interpolation, where images of one score come
    in together: what scikit-learn's `average_precision_score` gives.

    Args:
        scores: (N, K).
        targets: (N, K) of 0 and 1.
    """
    ranked, order = scores.double().sort(0, descending=True)
    hits = targets.double().gather(0, order).cumsum(0)
    places = torch.arange(1, len(scores) + 1, dtype=torch.float64, device=scores.device)
    ends = torch.ones_like(ranked, dtype=torch.bool)  # a threshold cannot fall between images of one score
    ends[:-1] = ranked[:-1] != ranked[1:]
    found = []
    for reached, end in zip(hits.unbind(1), ends.unbind(1), strict=True):
        precision = reached[end] / places[end]
        gained = reached[end].diff(prepend=reached.new_zeros(1))
        found.append((precision * gained).sum() / reached[-1])  # 0 / 0 without any image of the class
    return torch.stack(found)
