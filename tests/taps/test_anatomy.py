"""Taps beside the shared ones: what is found, that it is what it says, and what is said where it is missing."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdzero_gp.errors import TapError
from kdzero_gp.models import build
from kdzero_gp.taps.find import find_taps
from kdzero_gp.taps.network import FEATURES, Network
from kdzero_gp.taps.read import TapReader


def network(name: str | nn.Module, size: int = 32) -> tuple[Network, Tensor]:
    torch.manual_seed(0)
    model = build(name, num_classes=10, in_channels=3) if isinstance(name, str) else name
    images = torch.randn(2, 3, size, size)
    return Network("teacher", model, find_taps(model, images), lambda: images), images


@pytest.mark.parametrize("name", ["cnn4", "resnet8", "vgg8", "shufflenetv1", "resnet50", "torchvision:resnet18"])
@pytest.mark.parametrize("training", [False, True])
def test_a_stage_is_its_map_before_the_relu_made_positive(name: str, training: bool) -> None:
    found, images = network(name)
    stages = found.taps.stages
    names = (*stages, *(f"pre{n}" for n in range(1, len(stages) + 1)))
    found.model.train(training)
    with TapReader(found.model, found.places(names), names) as reader:
        known = reader(images)
    for number, stage in enumerate(stages, 1):
        before = known[f"pre{number}"]
        assert bool((before < 0).any())
        torch.testing.assert_close(before.clamp(min=0), known[stage])


def test_a_pre_activation_network_has_the_maps_that_its_next_block_activates() -> None:
    found, images = network("wrn_16_1")
    names = ("stage1", "stage2", "stage3", "pre1", "pre2", "pre3")
    found.model.eval()
    with TapReader(found.model, found.places(names), names) as reader:
        known = reader(images)
    torch.testing.assert_close(known["pre1"], found.model.block2.layer[0].bn1(known["stage1"]))
    torch.testing.assert_close(known["pre2"], found.model.block3.layer[0].bn1(known["stage2"]))
    torch.testing.assert_close(known["pre3"].clamp(min=0), known["stage3"])


def test_a_linear_bottleneck_is_before_a_relu_as_it_is() -> None:
    found, images = network("mobilenetv2")
    with TapReader(found.model, found.places(["pre1"]), ("stage1", "pre1")) as reader:
        known = reader(images)
    assert torch.equal(known["pre1"], known["stage1"])
    assert found.norm("pre1") is found.model.blocks[1][-1].conv[-1]


@pytest.mark.parametrize(
    ("name", "norms"),
    [
        ("cnn4", ["stage1.1", "stage2.1", "stage3.1"]),
        ("resnet20", ["layer1.2.bn2", "layer2.2.bn2", "layer3.2.bn2"]),
        ("wrn_16_2", ["block2.layer.0.bn1", "block3.layer.0.bn1", "bn1"]),
        ("vgg13", ["block0.4", "block1.4", "block2.4", "block4.4"]),
    ],
)
def test_the_norm_that_feeds_a_relu_is_known(name: str, norms: list[str]) -> None:
    found, _ = network(name)
    for number, path in enumerate(norms, 1):
        assert found.norm(f"pre{number}") is found.model.get_submodule(path)


def test_the_stem_is_the_first_activation() -> None:
    found, images = network("resnet20")
    model = found.model.eval()
    with TapReader(found.model, found.places(["stem"]), ["stem"]) as reader:
        stem = reader(images)["stem"]
    torch.testing.assert_close(stem, F.relu(model.bn1(model.conv1(images))))


def test_attention_is_queries_keys_and_values_of_every_block() -> None:
    found, images = network("deit_ti", 224)
    assert found.heads("attn1") == 3
    assert [name for name in found.anatomy.extra if name.startswith("attn")] == [f"attn{n}" for n in range(1, 13)]
    found.model.eval()
    with TapReader(found.model, found.places(["attn12"]), ["attn12"]) as reader:
        known = reader(images)["attn12"]
    assert known.shape == (2, 197, 3 * 192)


@pytest.mark.parametrize("name", ["cnn4", "resnet8", "wrn_16_1", "vgg8", "mobilenetv2", "shufflenetv2", "resnet50"])
def test_every_parameter_is_in_one_part_and_the_classifier_is_the_head(name: str) -> None:
    found, images = network(name)
    parts = found.anatomy.parts
    every = [parameter for names in parts.values() for parameter in names]
    assert sorted(every) == sorted(dict(found.model.named_parameters()))
    assert set(map(id, found.parameters("head"))) == set(map(id, list(found.model.parameters())[-2:]))
    assert len(found.parameters(FEATURES)) == len(every) - 2
    model = found.model.eval()
    with TapReader(model, found.taps) as reader:
        loss = reader(images)["stage2"].sum()
    loss.backward()
    reached = {parameter for name in ("stage1", "stage2") for parameter in found.parameters(name)}
    assert {p for p in model.parameters() if p.grad is not None} == reached


def test_a_head_passes_gradients_to_its_input_alone() -> None:
    found, images = network("resnet8")
    found.model.eval()
    with TapReader(found.model, found.taps, ("pool", "logits")) as reader:
        known = reader(images)
    pool = known["pool"].detach().requires_grad_()
    scores = found.head(pool)
    torch.testing.assert_close(scores, known["logits"])
    scores.sum().backward()
    assert pool.grad is not None
    assert found.model.fc.weight.grad is None
    assert found.head.weight.shape == (10, 64)


class Functional(nn.Module):
    """A network whose ReLUs are functions, and whose scores are scaled behind the classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 5, 3, 2, 1)
        self.fold = nn.Identity()
        self.fc = nn.Linear(5, 10)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.fold(F.relu(self.one(images)))
        maps = self.fold(F.relu(self.two(maps)))
        return 3 * self.fc(maps.mean((2, 3)))


def test_what_is_not_there_is_an_error_that_names_the_network() -> None:
    found, _ = network(Functional())
    with pytest.raises(TapError, match=r"the teacher \(Functional\) has no tap `pre1`: no module of it activates"):
        found.places(["pre1"])
    with pytest.raises(TapError, match=r"no normalisation before `pre1`"):
        found.norm("pre1")
    with pytest.raises(TapError, match="something stands between"):
        found.head(torch.zeros(2, 5))
    with pytest.raises(TapError, match="it has stage1, stage2, pool, logits"):
        found.places(["pre7"])
    with pytest.raises(TapError, match="no part `stage9`"):
        found.parameters("stage9")
    shuffled, _ = network("shufflenetv2")
    with pytest.raises(TapError, match=r"ShuffleNetV2\) has no tap `pre2`"):
        shuffled.places(["pre2"])


def test_looking_changes_nothing() -> None:
    found, _ = network("resnet8")
    found.model.train()
    before = {name: value.clone() for name, value in found.model.state_dict().items()}
    assert found.anatomy.extra
    assert found.model.training
    assert all(torch.equal(value, before[name]) for name, value in found.model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in found.model.modules())
