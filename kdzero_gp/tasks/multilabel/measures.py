"""What a trained student says of a split: binary cross-entropy, gap to the teacher, mean average precision."""

from __future__ import annotations

import torch
from torch import nn

from kdzero_gp.data import Dataset, Split
from kdzero_gp.taps.find import SCORES
from kdzero_gp.taps.read import POOL
from kdzero_gp.tasks.class_scores import FEATURES
from kdzero_gp.tasks.gaps import cka_gap
from kdzero_gp.tasks.kind import Measured
from kdzero_gp.tasks.measure import Measure
from kdzero_gp.tasks.multilabel.average_precision import mean_average_precision
from kdzero_gp.tasks.multilabel.loss import binary_cross_entropy
from kdzero_gp.tasks.whole_split import knowledge_of, outputs_of

MAP = Measure("map", "mAP", "mAP", "map")
"""Mean average precision over the classes that occur in the split."""


def student_parts(task: Measured, student: nn.Module, split: str) -> dict[str, float]:
    """Binary cross-entropy, CKA gap of the penultimate features, mean average precision."""
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
    """Mean average precision of a student."""
    scores = knowledge_of(task, student, split, (SCORES,))[SCORES]
    return {MAP.key: mean_average_precision(scores, task.targets(split))}


def teacher_precision(task: Measured, split: str) -> dict[str, float]:
    """Gives the same of the teacher."""
    scores = task.teacher_knowledge(split, (SCORES,))[SCORES]
    return {MAP.key: mean_average_precision(scores, task.targets(split))}


def network_precision(model: nn.Module, data: Dataset, split: Split) -> dict[str, float]:
    """Gives the same of a network by itself."""
    scores = outputs_of(model, data, split)
    return {MAP.key: mean_average_precision(scores, split.labels.to(scores.device))}
