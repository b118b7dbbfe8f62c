"""Instance relationship graph: Liu et al.: Knowledge Distillation via Instance Relationship Graph (CVPR 2019)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.loss import MethodLoss
from kdzero_gp.methods.method import Stages, module_method
from kdzero_gp.methods.world import Now

EPS = 1e-12


@module_method(
    "irg",
    "Liu et al.: Knowledge Distillation via Instance Relationship Graph (CVPR 2019)",
    needs_stages=True,
    home="CIFAR (its own tables)",
)
class InstanceRelationshipGraph(MethodLoss):
    """Samples as vertices, distances between them as edges, and how far each moves from a layer to the next.

    0.1 · mean (z_s − z_t)² of the logits; 5 · ⅓ · Σ mean (A_s − A_t)² over the last two stages and the pooled vector,
    A = D² / max D² of squared Euclidean distances between samples; 5 · mean (b_s − b_t)², b = d / max d of
    d_i = ‖u_i − v_i‖², u the stage before the last averaged to the size of the last, v the last with its channels
    averaged to the number of u's. Where that number does not divide them, windows of channels overlap: this project's
    choice. The weights are those of a public implementation for CIFAR; the authors' is in Caffe, its weights other.
    """

    def __init__(
        self, stages: Stages, *, vertices: float = 0.1, edges: float = 5.0, transformation: float = 5.0
    ) -> None:
        self.pair = (stages[-2], stages[-1]) if len(stages) > 1 else (stages[-1], stages[-1])
        super().__init__([*self.pair, "pool", "logits"])
        self.vertices, self.edges, self.transformation = vertices, edges, transformation

    def loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> dict[str, Tensor]:
        taps = (*dict.fromkeys(self.pair), "pool")
        edges = [F.mse_loss(graph(student[tap]), graph(teacher[tap])) for tap in taps]
        moves = [moved(side[self.pair[0]], side[self.pair[1]]) for side in (student, teacher)]
        return {
            "vertices": self.vertices * F.mse_loss(student["logits"], teacher["logits"]),
            "edges": self.edges * torch.stack(edges).mean(),
            "transformation": self.transformation * F.mse_loss(moves[0], moves[1]),
        }


def graph(tap: Tensor) -> Tensor:
    """Squared distances between the flattened samples over the largest, (N, N)."""
    flat = tap.flatten(1)
    # not through the Gram matrix, whose differences near 0 are rounding
    squares = torch.cdist(flat, flat, compute_mode="donot_use_mm_for_euclid_dist").square()
    return squares / squares.amax().clamp_min(EPS)


def moved(before: Tensor, after: Tensor) -> Tensor:
    """Squared distance of each sample from one map to the next over the largest, (N,)."""
    shape = (before.shape[1], *after.shape[2:])
    u, v = (F.adaptive_avg_pool3d(maps[:, None], shape)[:, 0].flatten(1) for maps in (before, after))
    squares = (u - v).square().sum(1)
    return squares / squares.amax().clamp_min(EPS)
