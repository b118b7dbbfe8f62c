"""Networks that give something else while they train: found at once, and told what to set."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from kdzero_gp.errors import TapError
from kdzero_gp.taps.find import find_taps
from kdzero_gp.taps.read import TapReader
from kdzero_gp.taps.scores import scores_alone
from kdzero_gp.taps.training import require_same_in_training

IMAGES = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))


@dataclass
class ModelOutput:
    """What a network of a library of its own gives."""

    logits: Tensor


class Net(nn.Module):
    """One stage; what it gives in training is up to `give`."""

    def __init__(self, give: Any = None) -> None:
        super().__init__()
        self.a, self.fc, self.give = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.ReLU()), nn.Linear(4, 3), give

    def forward(self, x: Tensor) -> Any:
        scores = self.fc(self.a(x).mean((2, 3)))
        return self.give(scores) if self.give is not None and self.training else scores


@pytest.mark.parametrize(
    ("give", "came"),
    [
        (lambda scores: (scores, scores + 1), r"a tuple of 2 \(a tensor of shape \(4, 3\)"),
        (lambda scores: {"out": scores, "aux": scores}, "a dict with out, aux"),
        (lambda scores: [scores], "a list of 1"),
        (ModelOutput, "a ModelOutput"),
    ],
)
def test_what_came_back_and_what_to_type(give: Any, came: str) -> None:
    model = Net(give).train()
    taps = find_taps(model, IMAGES)
    with pytest.raises(TapError, match=f"in training mode .*{came}.*--taps logits="):
        require_same_in_training(model, IMAGES, taps)
    set_by_hand = find_taps(model, IMAGES, {"logits": "fc"})
    require_same_in_training(model, IMAGES, set_by_hand)
    with scores_alone(model, "fc"):
        assert torch.equal(model(IMAGES), model.fc(model.a(IMAGES).mean((2, 3))))
    assert not isinstance(model(IMAGES), Tensor)


def test_the_module_is_named_where_it_is_known() -> None:
    model = Net(lambda scores: (scores, None)).train()
    with pytest.raises(TapError, match="Its module 'fc' gives one of them: --taps logits=fc"):
        require_same_in_training(model, IMAGES, find_taps(model, IMAGES))


def test_looking_in_training_mode_leaves_no_trace() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    model.append(nn.Dropout(0.5)).append(nn.Linear(4, 3)).eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    require_same_in_training(model, IMAGES, find_taps(model, IMAGES))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module.training for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), state)


class Checkpointed(nn.Module):
    """A tower part of which is computed again in the backward pass."""

    def __init__(self, reentrant: bool | None) -> None:
        super().__init__()
        self.a, self.b, self.fc = nn.Conv2d(3, 4, 3, 2), nn.Conv2d(4, 4, 1), nn.Linear(4, 3)
        self.reentrant = reentrant

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x)
        x = self.b(x) if self.reentrant is None else checkpoint(self.b, x, use_reentrant=self.reentrant)
        scores: Tensor = self.fc(x.relu().mean((2, 3)))
        return scores


def test_a_tap_inside_a_checkpoint_is_exact_or_refused() -> None:
    gradients: list[Tensor | None] = []
    for reentrant in (None, False):
        torch.manual_seed(0)
        model = Checkpointed(reentrant)
        reader = TapReader(model, find_taps(model, IMAGES, {"stage1": "b"}))
        reader(IMAGES)["stage1"].square().sum().backward()
        gradients.append(model.b.weight.grad)
    assert gradients[0] is not None
    assert gradients[1] is not None
    assert torch.equal(gradients[0], gradients[1])
    model = Checkpointed(True)
    taps = find_taps(model, IMAGES, {"stage1": "b"})
    with pytest.raises(TapError, match=r"'stage1' \(b\) was computed without gradient.*use_reentrant=False"):
        TapReader(model, taps)(IMAGES)
    with pytest.raises(TapError, match=r"in training mode .*without gradient"):
        require_same_in_training(model, IMAGES, taps)
    with torch.no_grad():
        assert TapReader(model, taps)(IMAGES)["stage1"].shape == (4, 4, 3, 3)


class Dropping(nn.Module):
    """Blocks in a row, of which some are left out while it trains."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 2, 2)
        self.blocks = nn.ModuleList(nn.Conv2d(4, 4, 1) for _ in range(3))
        self.fc, self.dropped = nn.Linear(4, 3), {2}

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for number, block in enumerate(self.blocks):
            if not (self.training and number in self.dropped):
                x = block(x)
        scores: Tensor = self.fc(x.mean((2, 3)))
        return scores


def test_a_layer_that_is_left_out_hands_on_what_it_would_have_got() -> None:
    model = Dropping().train()
    taps = find_taps(model, IMAGES)
    assert taps["stage1"].path == "blocks.2"
    one = model.blocks[1](model.blocks[0](model.stem(IMAGES)))
    torch.testing.assert_close(TapReader(model, taps)(IMAGES)["stage1"], one)
    require_same_in_training(model, IMAGES, taps)
    model.dropped = {0, 1, 2}
    with pytest.raises(TapError, match="was not reached"):
        TapReader(model, taps)(IMAGES)
