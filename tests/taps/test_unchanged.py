"""Looking at a network leaves modes, buffers and random states as they were."""

import random

import numpy as np
import torch
from torch import Tensor, nn

from kdzero_gp.taps.find import find_taps
from kdzero_gp.taps.unchanged import KeptBuffers, evaluating, unchanged


class Observer(nn.Module):
    """Remembers the range of what it has seen, in evaluation too, as torch.ao's do; counts in a buffer it replaces."""

    low: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("low", torch.zeros(()))
        self.register_buffer("count", torch.zeros(1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        lowest = x.detach().amin((0, 2, 3))
        self.low.resize_(lowest.shape).copy_(lowest)
        self.count = self.count + 1
        return x


def observed() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), Observer(), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    )


def test_finding_taps_leaves_observers_alone() -> None:
    model, images = observed().train(), torch.randn(4, 3, 8, 8)
    model[2].eval()
    buffers = dict(model.named_buffers())
    values = {name: value.clone() for name, value in buffers.items()}
    state = torch.get_rng_state()
    find_taps(model, images)
    after = dict(model.named_buffers())
    assert all(after[name] is buffers[name] for name in buffers)
    assert all(torch.equal(after[name], values[name]) for name in values)
    assert [module.training for module in model] == [True, True, False, True, True, True]
    assert torch.equal(torch.get_rng_state(), state)


def test_whether_buffers_moved_is_told() -> None:
    model, images = observed().eval(), torch.randn(4, 3, 8, 8)
    kept = KeptBuffers(model)
    model(images)
    assert kept.put_back()
    assert model[1].low.shape == ()
    assert not kept.put_back()
    still = nn.BatchNorm2d(3).eval()
    kept = KeptBuffers(still)
    still(images)
    assert not kept.put_back()


class Merging(nn.Linear):
    """Does more than change its mode when it is put into evaluation."""

    merged = False

    def train(self, mode: bool = True) -> "Merging":
        self.merged = not mode
        return super().train(mode)


def test_evaluation_is_a_mode_and_nothing_else() -> None:
    model = nn.Sequential(Merging(2, 2), nn.Dropout(0.5))
    model[1].eval()
    with evaluating(model):
        assert not any(module.training for module in model.modules())
        assert not model[0].merged
    assert (model.training, model[0].training, model[1].training) == (True, True, False)


def test_random_numbers_of_all_kinds_go_on_as_if_nothing_had_run() -> None:
    drawn, model = [], nn.Linear(1, 1)
    for look in (False, True):
        random.seed(1)
        np.random.seed(1)
        torch.manual_seed(1)
        if look:
            with unchanged(model):
                random.random(), np.random.rand(), torch.rand(())
        drawn.append((random.random(), float(np.random.rand()), float(torch.rand(()))))
    assert drawn[0] == drawn[1]
