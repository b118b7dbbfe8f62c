"""The two gaps between student and teacher that guide the search beside the cross-entropy.

Source: KD-Zero (NeurIPS 2023), Eq. 2.
"""

import torch
from torch import Tensor

from kdzero_gp.errors import ConfigError


def sharpness_gap(z_s: Tensor, z_t: Tensor) -> Tensor:
    """Computes the mean absolute difference of the log-sum-exp of student and teacher logits.

    Args:
        z_s, z_t: (N, K) logits of the same samples; the class counts may differ.

    Returns:
        A scalar, zero or more.
    """
    _check_batch(z_s, z_t)
    return (torch.logsumexp(z_t, 1) - torch.logsumexp(z_s, 1)).abs().mean()


def cka_gap(f_s: Tensor, f_t: Tensor) -> Tensor:
    """Computes one minus the linear centred kernel alignment of student and teacher features.

    Computed from the D x D products of centred features, which equals the N x N kernel form and costs less for long
    batches. A side without variance is aligned with nothing: the gap is 1.

    Args:
        f_s, f_t: (N, …) features of the same samples, flattened to (N, D); the widths may differ.

    Returns:
        A scalar in [0, 1].
    """
    _check_batch(f_s, f_t)
    student, teacher = (_centred(f) for f in (f_s, f_t))
    if student.shape[1] > len(student) or teacher.shape[1] > len(teacher):
        kernel_s, kernel_t = student @ student.T, teacher @ teacher.T
        cross, own_s, own_t = (kernel_s * kernel_t).sum(), kernel_s.norm(), kernel_t.norm()
    else:
        cross = (student.T @ teacher).square().sum()
        own_s, own_t = (student.T @ student).norm(), (teacher.T @ teacher).norm()
    scale = own_s * own_t
    alignment = torch.where(scale > 0, cross / scale.clamp_min(torch.finfo(scale.dtype).tiny), torch.zeros_like(cross))
    return (1 - alignment).clamp(0, 1)


def _centred(features: Tensor) -> Tensor:
    """Centres features (N, D) over the batch in float64 and scales them to unit norm, which CKA ignores."""
    x = features.flatten(1).double()
    x = x - x.mean(0)
    return x / x.abs().amax().clamp_min(torch.finfo(x.dtype).tiny)


def _check_batch(student: Tensor, teacher: Tensor) -> None:
    if student.dim() < 2 or teacher.dim() < 2 or len(student) != len(teacher) or not len(student):
        raise ConfigError(
            f"the gap needs (N, …) tensors of the same samples, this is {tuple(student.shape)} for the student and "
            f"{tuple(teacher.shape)} for the teacher"
        )
