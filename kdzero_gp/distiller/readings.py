"""What every node of a distiller does to one batch: how large its value is, and how much of the gradient it carries.

A tensor node is `constant` where the student's value is the same for every sample, so that it tells nothing of them,
and `dead` where no gradient of the loss reaches it, so that it teaches nothing.
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.drawing.reading import Reading, State
from kdzero_gp.knowledge import Knowledge

FLAT = 1e-6
"""Deviation over the batch, relative to the value, below which a node counts as constant (float32 has 1e-7)."""


def read_nodes(
    distiller: Distiller, student: Knowledge, teacher: Knowledge, targets: Tensor | None = None
) -> dict[str, Reading]:
    """Gives the readings of all nodes between the taps and the weighted terms, by node text.

    Args:
        student: taps with a graph, (N, …) each.
        teacher, targets: of the same batch.

    Raises:
        TapError, PrimitiveError, ConfigError: as for a call of the distiller.
    """
    taps = {name: tap.detach().requires_grad_() for name, tap in student.items()}
    distiller.prepare(student, teacher)  # nothing is trained here, so nobody has to be told of new aligners
    values, means = distiller.trace(Knowledge(**taps), teacher, targets)
    factors = distiller.calibration.tolist()
    scales = [term.value * factor for term, factor in zip(distiller.terms_in_order, factors, strict=True)]
    loss = torch.stack([mean * scale for mean, scale in zip(means, scales, strict=True)]).sum()
    nodes = list(values)
    gradients = _gradients(loss, [values[node] for node in nodes])
    return {
        node.text: _reading(values[node].detach(), gradient) for node, gradient in zip(nodes, gradients, strict=True)
    }


def _gradients(loss: Tensor, values: Iterable[Tensor]) -> list[Tensor | None]:
    values = list(values)
    reached = [value for value in values if value.requires_grad]
    if not (loss.requires_grad and reached):
        return [None] * len(values)
    found = iter(torch.autograd.grad(loss, reached, allow_unused=True))
    return [next(found) if value.requires_grad else None for value in values]


def _reading(value: Tensor, gradient: Tensor | None) -> Reading:
    x = value.double().flatten(1) if value.dim() > 1 else value.double().unsqueeze(1)
    size = float(x.square().mean().sqrt())
    length = 0.0 if gradient is None else float(torch.linalg.vector_norm(gradient.double()))
    spread = float(x.std(0, unbiased=False).max()) if x.numel() else 0.0
    state: State = "live"
    if value.dim() > 1 and math.isfinite(spread) and spread <= FLAT * max(size, 1e-30):
        state = "constant"
    elif length == 0:
        state = "dead"
    return Reading(size, length, state)
