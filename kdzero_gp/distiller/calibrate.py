"""Calibration: every term starts with the gradient norm of the task's own loss.

Gradient norms of random distillers span thirteen orders of magnitude, so an uncalibrated weight would select on
scale alone.
"""

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from kdzero_gp.errors import KdzeroError


class CalibrationError(KdzeroError):
    """A term whose gradient cannot be scaled: zero, or not finite."""


def gradient(loss: Tensor, parameters: Sequence[Tensor]) -> Tensor:
    """Computes a scalar's gradient as one vector (P,), zeros where a parameter is not reached; keeps the graph."""
    if not loss.requires_grad:
        return torch.cat([torch.zeros_like(p).flatten() for p in parameters])
    parts = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    return torch.cat(
        [torch.zeros_like(p).flatten() if g is None else g.flatten() for g, p in zip(parts, parameters, strict=True)]
    )


def norm(vector: Tensor) -> float:
    """Computes the Euclidean norm in float64, so that gradients neither overflow nor vanish."""
    return float(torch.linalg.vector_norm(vector.double()))


def calibration_constants(
    means: Sequence[Tensor],
    names: Sequence[str],
    task_loss: Tensor,
    parameters: Iterable[Tensor],
) -> tuple[float, ...]:
    """Computes the factor of every term that gives it the gradient norm of the student's own loss.

    Raises:
        CalibrationError: names the term whose gradient norm is zero or not finite.
    """
    trained = [p for p in parameters if p.requires_grad]
    target = norm(gradient(task_loss, trained))
    if not math.isfinite(target) or target == 0:
        raise CalibrationError(
            f"the gradient norm of the student's own loss (the cross-entropy, unless it is given) is {target}, but "
            "must be positive and finite to calibrate by; give it with its graph, or use the distiller uncalibrated"
        )
    factors = []
    for mean, name in zip(means, names, strict=True):
        length = norm(gradient(mean, trained))
        if not math.isfinite(length) or length == 0:
            raise CalibrationError(
                f"the gradient norm of `{name}` with respect to the student is {length}, but must be positive and "
                "finite to be calibrated; leave this term out or use it uncalibrated"
            )
        factors.append(target / length)
    return tuple(factors)
