"""The loss of a classifier, and the divergence of two classifiers."""

from torch import Tensor
from torch.nn import functional

from kdzero_gp.knowledge import Knowledge, unhalved
from kdzero_gp.taps.find import SCORES
from kdzero_gp.tasks.kind import Reduction


def task_loss(student: Knowledge, targets: Tensor, reduction: Reduction = "mean") -> Tensor:
    """Computes the cross-entropy of the scores (N, K) with the classes (N,) int64."""
    return functional.cross_entropy(unhalved(student[SCORES]), targets, reduction=reduction)


def divergence(student: Knowledge, teacher: Knowledge) -> Tensor:
    """Computes the KL divergence of the two sides' class probabilities, averaged over the samples."""
    return functional.kl_div(
        functional.log_softmax(student[SCORES], 1),
        functional.log_softmax(teacher[SCORES], 1),
        reduction="batchmean",
        log_target=True,
    )
