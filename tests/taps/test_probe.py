"""Which outputs of modules count as feature maps: those that follow the images and hold something learned."""

import os

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from kdzero_gp.taps.find import find_taps


class Net(nn.Module):
    """Two stages, 16x16 and 8x8; the second has 16 filters."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU())
        self.b = nn.Sequential(nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU())
        self.fc = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.fc(self.b(self.a(x)).mean((2, 3)))
        return scores


class FakeQuantised(nn.Conv2d):
    """A convolution whose weight goes through a module of its own, as in training for quantisation."""

    def __init__(self) -> None:
        super().__init__(8, 16, 3, 2, 1)
        self.rounded = nn.Hardtanh(-1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(x, self.rounded(self.weight), self.bias, self.stride, self.padding)


def stages(model: nn.Module, count: int, size: int = 16) -> list[str]:
    images = torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(0))
    taps = find_taps(model, images)
    return [f"{taps[name]} {taps[name].shape}" for name in taps.stages]


@pytest.mark.parametrize("count", [1, 3, 5, 8, 16])
@pytest.mark.parametrize("kind", [spectral_norm, weight_norm, "fake quantisation"])
def test_weights_are_no_stages_whatever_the_number_of_images(kind: object, count: int) -> None:
    model = Net()
    if callable(kind):
        kind(model.a[0])
        kind(model.b[0])
    else:
        model.b[0] = FakeQuantised()
    assert stages(model, count) == ["a (8, 16, 16)", "b (16, 8, 8)"]


class Pyramid(Net):
    """Shows its images, and smaller ones, to modules before and after the first convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.whole, self.halved, self.quarter = nn.Identity(), nn.AvgPool2d(2), nn.AvgPool2d(4)
        self.merge = nn.Conv2d(19, 16, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.whole(x)
        maps = self.b(self.a(x))
        small = self.halved(x)
        self.quarter(x)
        scores: Tensor = self.fc(self.merge(torch.cat([maps, small], 1)).mean((2, 3)))
        return scores


def test_images_are_no_stages_however_small() -> None:
    assert stages(Pyramid(), 4) == ["a (8, 16, 16)", "merge (16, 8, 8)"]


class Product(nn.Module):
    """Linear attention over the places of a map: keys times values, (N, heads, D, D), pass through a module."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.qkv, self.drop = nn.Conv2d(channels, 3 * channels, 1), nn.Dropout(0.0)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).flatten(2).unflatten(1, (3, 4, -1)).unbind(1)
        product = self.drop(k @ v.transpose(2, 3))
        return x + (product @ q).flatten(1, 2).unflatten(2, x.shape[2:])


def test_products_of_an_attention_are_no_stages() -> None:
    model = Net()
    model.b.append(Product(16))
    assert stages(model, 4) == ["a (8, 16, 16)", "b (16, 8, 8)"]


def test_a_frozen_network_has_the_same_stages() -> None:
    assert stages(Net().requires_grad_(False), 4) == ["a (8, 16, 16)", "b (16, 8, 8)"]


class Resizing(Net):
    """Brings its images to 16x16 by itself."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(functional.interpolate(x, (16, 16)))


@pytest.mark.parametrize("size", [16, 40])
def test_a_network_that_resizes_its_images_has_its_stages(size: int) -> None:
    assert stages(Resizing(), 4, size) == ["a (8, 16, 16)", "b (16, 8, 8)"]


class Sized(Net):
    """Takes images of one size alone."""

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[2:] != (16, 16):
            raise ValueError("images must be 16x16")
        return super().forward(x)


def test_a_network_of_one_size_is_probed_by_the_number_of_images() -> None:
    model = Sized()
    spectral_norm(model.b[0])
    assert stages(model, 16) == ["a (8, 16, 16)", "b (16, 8, 8)"]


def test_taps_say_why_they_were_chosen() -> None:
    taps = find_taps(Net(), torch.randn(2, 3, 16, 16), {"stage1": "a.0"})
    assert {name: tap.why for name, tap in taps.items()} == {
        "stage1": "set by hand",
        "stage2": "last output of 8 x 8 places",
        "pool": "what the last linear layer makes the scores from",
        "logits": "what the network gives",
    }


FEW = ("efficientvit_b0", "mobilenetv3_small_050", "convnext_atto", "repvgg_a0", "levit_128s")
"""One network each of a few families of timm; all of them where the environment asks for it."""


def family_members() -> list[str]:
    timm = pytest.importorskip("timm")
    if not os.environ.get("KDZERO_GP_ALL_FAMILIES"):
        return [name for name in FEW if timm.is_model(name)]
    return [timm.list_models(module=module)[0] for module in timm.list_modules() if timm.list_models(module=module)]


@pytest.mark.parametrize("number", range(len(FEW) if not os.environ.get("KDZERO_GP_ALL_FAMILIES") else 120))
def test_one_network_of_each_family(number: int) -> None:
    """Stages shrink from one to the next, grow with the images, and are no images."""
    timm = pytest.importorskip("timm")
    names = family_members()
    if number >= len(names):
        pytest.skip(f"timm has {len(names)} families")
    model = timm.create_model(names[number], pretrained=False, num_classes=7)
    size = model.default_cfg["input_size"][1] if model.default_cfg.get("fixed_input_size") else 64
    taps = find_taps(model, torch.randn(2, 3, size, size))
    grids = [taps[name].shape[1] * taps[name].shape[2] for name in taps.stages]
    assert len(grids) >= 2
    assert grids == sorted(grids, reverse=True)
    assert all(taps[name].shape[0] > 3 for name in taps.stages)
    assert taps["logits"].shape == (7,)
