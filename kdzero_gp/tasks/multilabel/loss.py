"""The loss of a classifier with several classes an image, and the divergence of two of them."""

from torch import Tensor
from torch.nn import functional

from kdzero_gp.knowledge import Knowledge, unhalved
from kdzero_gp.taps.find import SCORES
from kdzero_gp.tasks.kind import Reduction


def binary_cross_entropy(scores: Tensor, targets: Tensor, reduction: Reduction = "mean") -> Tensor:
    """Computes the binary cross-entropy of the scores' sigmoids, averaged over the classes of every sample.

    Args:
        scores: (N, K).
        targets: (N, K) float of 0 and 1.
    """
    each = functional.binary_cross_entropy_with_logits(scores, targets.to(scores.dtype), reduction="none").mean(1)
    if reduction == "none":
        return each
    return each.mean() if reduction == "mean" else each.sum()


def task_loss(student: Knowledge, targets: Tensor, reduction: Reduction = "mean") -> Tensor:
    """Computes the binary cross-entropy of the student's scores, in float32."""
    return binary_cross_entropy(unhalved(student[SCORES]), targets, reduction)


def divergence(student: Knowledge, teacher: Knowledge) -> Tensor:
    """Computes the KL divergence of yes and no for each class, averaged over samples and classes."""
    s, t = student[SCORES], teacher[SCORES]
    yes = t.sigmoid() * (functional.logsigmoid(t) - functional.logsigmoid(s))
    no = (-t).sigmoid() * (functional.logsigmoid(-t) - functional.logsigmoid(-s))
    return (yes + no).mean()
