"""Class labels as operations read them: one class of every sample, some samples perhaps without one.

The stand-alone file copies these functions word for word, so they need torch alone.
"""

import torch
from torch import Tensor

IGNORED = -100
"""Label of a sample whose class is not known, as in torch's cross-entropy."""


def label_fault(targets: Tensor | None, names: str, scores: Tensor | None = None) -> str:
    """Why targets are not the class of every sample, with the way out; "" where they are.

    Args:
        targets: (N,) whole numbers, -100 where a sample has no label.
        names: of the operations that need them, for the message.
        scores: (N, K), whose classes the labels count.
    """
    if targets is None:
        return f"{names} depends on the labels; call distiller(student, teacher, targets)"
    if targets.dim() != 1 or targets.is_floating_point() or targets.dtype is torch.bool:
        several = targets.dim() == 2
        what = "soft labels, or several of one sample, have no true class" if several else "they are no class numbers"
        return (
            f"{names} needs the class of every sample, (N,) whole numbers with -100 for none, but the targets are "
            f"{tuple(targets.shape)} of {targets.dtype}: {what}; give class numbers (of mixed images, the larger "
            "share's), or take a distiller that reads no labels, such as kd"
        )
    if scores is None or scores.device.type != "cpu" or not targets.numel():
        return ""  # elsewhere than on the CPU a look at the values would wait for the device
    known = targets[targets != -100]
    if len(targets) != len(scores):
        return f"{names} needs the class of every sample, but these are {len(targets)} labels of {len(scores)} samples"
    if known.numel() and not 0 <= int(known.min()) <= int(known.max()) < scores.shape[1]:
        return (
            f"{names} needs labels from 0 to {scores.shape[1] - 1}, or -100 for a sample without one, but the targets "
            f"go from {int(known.min())} to {int(known.max())}; number the classes as the scores do"
        )
    return ""


def filled_labels(targets: Tensor) -> tuple[Tensor, Tensor]:
    """Labels (N,) int64 with class 0 where there is none, and whether there is one, (N,) bool."""
    known = targets != -100
    return torch.where(known, targets, 0).long(), known


def of_the_labelled(distance: Tensor, known: Tensor) -> Tensor:
    """Gives a distance (N,) that is 0 where the label is not known, such that its mean is that of the others."""
    share = known.sum().clamp(min=1) / len(known)
    return torch.where(known, distance, 0) / share.to(distance.dtype)


def mean_one(weights: Tensor, known: Tensor | None = None) -> Tensor:
    """Sample weights (N,) rescaled to mean 1; all 1 if they are all 0, and 1 where the label is not known."""
    if known is None:
        mean = weights.mean()
        return torch.where(mean > 0, weights / mean.clamp_min(torch.finfo(mean.dtype).tiny), 1.0)
    mean = torch.where(known, weights, 0).sum() / known.sum().clamp(min=1)
    return torch.where(known & (mean > 0), weights / mean.clamp_min(torch.finfo(mean.dtype).tiny), 1.0)
