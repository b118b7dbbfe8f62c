"""Feature distillation for detectors against its formula in plain loops."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.fkd import FeatureDetection, NonLocal
from tests.methods.conftest import TARGETS, assert_same, gradients, knowledge, prepared, random


def attention(x: Tensor) -> Tensor:
    """Of one map (C, H, W), over its positions, at T = 0.5."""
    _, H, W = x.shape
    strength = torch.stack([x[:, i, j].abs().sum() / len(x) for i in range(H) for j in range(W)])
    return (H * W * (strength / 0.5).exp() / (strength / 0.5).exp().sum()).view(H, W)


def pointwise(layer: Any, x: Tensor) -> Tensor:
    """A 1x1 convolution, position by position: (N, C, H, W) to (N, C', H, W)."""
    y = torch.einsum("oi,nihw->nohw", layer.weight[:, :, 0, 0], x)
    return y if layer.bias is None else y + layer.bias[:, None, None]


def non_local(block: NonLocal, x: Tensor, stride: int) -> Tensor:
    N, _, H, W = x.shape
    theta, phi, g = (pointwise(layer, x) for layer in (block.theta, block.phi, block.g))

    def strongest(y: Tensor) -> Tensor:
        """(N, C, P), the largest of each window."""
        windows = [
            y[:, :, i : i + stride, j : j + stride].flatten(2).max(2).values
            for i in range(0, H, stride)
            for j in range(0, W, stride)
        ]
        return torch.stack(windows, 2)

    phi, g = strongest(phi), strongest(g)
    said = torch.zeros_like(theta)
    for n in range(N):
        for i in range(H):
            for j in range(W):
                parts = [(theta[n, :, i, j] @ phi[n, :, p]) * g[n, :, p] for p in range(phi.shape[2])]
                said[n, :, i, j] = torch.stack(parts).sum(0) / phi.shape[2]
    out = pointwise(block.out, said)
    mean = out.mean((0, 2, 3), keepdim=True)
    out = (out - mean) / (((out - mean) ** 2).mean((0, 2, 3), keepdim=True) + 1e-5).sqrt()
    return x + out * block.norm.weight[:, None, None] + block.norm.bias[:, None, None]


def by_hand(loss: FeatureDetection, s: Knowledge, t: Knowledge) -> Tensor:
    own, other = s["stage2"], t["stage2"]
    adapted = pointwise(loss.adapt_features, own)
    attended, channels, positions = (torch.zeros((), dtype=torch.float64) for _ in range(3))
    for n in range(4):
        mask = (attention(own[n]) + attention(other[n])).detach() / 2
        for c in range(7):
            attended = attended + (mask * (other[n, c] - adapted[n, c]) ** 2).sum()
        mean = torch.stack([channel.sum() / 16 for channel in own[n]])
        vector = loss.adapt_channels.weight @ mean + loss.adapt_channels.bias
        for c in range(7):
            channels = channels + (other[n, c].sum() / 16 - vector[c]) ** 2
        layer = loss.adapt_positions
        seen = F.conv2d(own[n].sum(0)[None, None] / 5, layer.weight, layer.bias, padding=1)[0, 0]
        positions = positions + ((other[n].sum(0) / 7 - seen) ** 2).sum()
    ours = pointwise(loss.adapt_relations, non_local(loss.relate_student, own, 2))
    related = ((ours - non_local(loss.relate_teacher, other, 2)) ** 2).sum()
    return 7e-5 * attended.sqrt() + 4e-3 * (channels.sqrt() + positions.sqrt()) + 7e-5 * related.sqrt()


def test_it_is_four_norms() -> None:
    student, teacher = knowledge(0, channels=5, gradient=True), knowledge(50, channels=7)
    loss = prepared("fkd", student, teacher, stages=("stage1", "stage2"))
    assert isinstance(loss, FeatureDetection)
    with torch.no_grad():  # else the relations add nothing yet
        for place, parameter in enumerate(loss.parameters()):
            parameter.copy_(random(*parameter.shape, seed=100 + place))
    assert_same(loss, lambda s, t: by_hand(loss, s, t), student, teacher)


def test_equal_maps_behind_identities_cost_next_to_nothing_and_no_gradient() -> None:
    both = knowledge(0, gradient=True)
    loss = prepared("fkd", both, both)
    assert isinstance(loss, FeatureDetection)
    with torch.no_grad():
        for layer in (loss.adapt_features, loss.adapt_relations):
            layer.weight.copy_(torch.eye(6)[:, :, None, None])
        loss.adapt_channels.weight.copy_(torch.eye(6))
        loss.adapt_positions.weight.zero_()
        loss.adapt_positions.weight[0, 0, 1, 1] = 1
        for adapt in (loss.adapt_features, loss.adapt_relations, loss.adapt_channels, loss.adapt_positions):
            assert adapt.bias is not None
            adapt.bias.zero_()
    value = loss(both, both.detach(), TARGETS)
    assert float(value.detach()) < 1e-8  # the root of what keeps its gradient finite
    assert float(gradients(value, both)["stage3"].abs().max()) < 1e-12


def test_relations_add_nothing_at_first_and_a_single_position_is_related_to_itself() -> None:
    maps = random(2, 6, 3, 3, seed=0).float()
    assert torch.equal(NonLocal(6, 2)(maps), maps)
    assert NonLocal(1, 2)(maps[:, :1, :1, :1]).shape == (2, 1, 1, 1)
