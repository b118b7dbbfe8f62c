"""Grad-CAM++: the paper's formula by hand, networks of awkward forms, the figure of real trainings."""

import builtins
import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from kdzero_gp.errors import ConfigError, TapError
from kdzero_gp.models import build
from kdzero_gp.plot.cam import cam_figure, pictures
from kdzero_gp.plot.networks import Pair
from kdzero_gp.taps.find import find_taps
from kdzero_gp.taps.tap import Tap, Taps

pytest.importorskip("pytorch_grad_cam", reason="grad-cam is not installed")

from kdzero_gp.plot.grad_cam import grad_cam, watched


def by_hand(maps: Tensor, gradient: Tensor, size: int) -> np.ndarray:
    """Equations 7, 10 and 19 of the paper for one image, then resized and scaled to 0 … 1.

    Args:
        maps, gradient: (C, H, W).
    """
    total = torch.zeros(maps.shape[1:])
    for channel, slope in zip(maps, gradient, strict=True):
        weight = 0.0
        for g in slope.flatten().tolist():
            if g > 0:
                weight += g * g * g / (2 * g * g + float(channel.sum()) * g**3 + 1e-6)
        total += weight * channel
    heat = total.clamp(min=0)
    heat = (heat - heat.min()) / (1e-7 + (heat - heat.min()).max())
    large = functional.interpolate(heat[None, None], (size, size), mode="bilinear", align_corners=False)[0, 0]
    return ((large - large.min()) / (1e-7 + (large - large.min()).max())).numpy()


class Awkward(nn.Module):
    """Overwrites its feature map in place, and runs one ReLU twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 3, 3, padding=1), nn.Conv2d(3, 4, 3, padding=1)
        self.relu, self.fc = nn.ReLU(inplace=True), nn.Linear(4, 3)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.relu(self.second(functional.max_pool2d(self.relu(self.first(images)), 2)))
        return self.fc(maps.mul_(1.5).mean((2, 3)))


@pytest.mark.parametrize("make", [lambda: build("cnn2", num_classes=3, in_channels=1), Awkward])
def test_it_is_the_papers_formula(make: Any) -> None:
    torch.manual_seed(0)
    model, images = make().eval().requires_grad_(False), torch.randn(3, 1, 8, 8)
    taps, classes = find_taps(model, images), torch.tensor([2, 0, 1])
    network = watched(model, taps, None, images)
    heat = grad_cam(network, images, classes)
    assert heat.shape == (3, 8, 8)
    assert heat.min() >= 0
    assert heat.max() <= 1
    for place in range(3):
        if isinstance(model, Awkward):
            maps = model.relu(
                model.second(functional.max_pool2d(model.relu(model.first(images[place : place + 1])), 2))
            )
            maps = maps.clone().requires_grad_()
            scores = model.fc((1.5 * maps).mean((2, 3)))
        else:
            maps = model.stage3(
                functional.max_pool2d(
                    model.stage2(functional.max_pool2d(model.stage1(images[place : place + 1]), 2)), 2
                )
            )
            maps = maps.requires_grad_()
            scores = model.fc(maps.mean((2, 3)))
        (gradient,) = torch.autograd.grad(scores[0, classes[place]], maps)
        np.testing.assert_allclose(heat[place], by_hand(maps[0].detach(), gradient[0], 8), atol=2e-3)


def test_the_network_is_left_as_it_was() -> None:
    model, images = build("cnn2", num_classes=3, in_channels=1).eval(), torch.randn(2, 1, 8, 8)
    with torch.no_grad():
        before = model(images)
    grad_cam(watched(model, find_taps(model, images), "stage1", images), images, torch.tensor([0, 1]))
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert all(parameter.grad is None or not parameter.grad.any() for parameter in model.parameters())
    with torch.no_grad():
        assert torch.equal(model(images), before)


class ClassToken(nn.Module):
    """Scores read the class token alone: after the attention the places of the image are of no account."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.token = nn.Conv2d(1, 8, 2, 2), nn.Parameter(torch.randn(1, 1, 8))
        self.norm, self.attention = nn.LayerNorm(8), nn.MultiheadAttention(8, 2, batch_first=True)
        self.mlp, self.fc = nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, images: Tensor) -> Tensor:
        tokens = torch.cat([self.token.expand(len(images), -1, -1), self.embed(images).flatten(2).transpose(1, 2)], 1)
        normed = self.norm(tokens)
        tokens = tokens + self.attention(normed, normed, normed, need_weights=False)[0]
        return self.fc((tokens + self.mlp(tokens))[:, 0])


def test_a_transformer_is_watched_where_its_places_still_matter() -> None:
    torch.manual_seed(0)
    model, images = ClassToken().eval(), torch.randn(2, 1, 8, 8)
    tap = Tap("mlp", (8, 4, 4), "map", layout="tokens", prefix=1)
    taps = Taps((("stage1", tap), ("logits", Tap("", (3,), "scores"))))
    network = watched(model, taps, None, images)
    assert network.tap.path == "norm"
    heat = grad_cam(network, images, torch.tensor([0, 2]))
    assert heat.shape == (2, 8, 8)
    assert heat.max() > 0


def test_stages_that_are_not_there() -> None:
    model, images = build("cnn2", num_classes=3, in_channels=1).eval(), torch.randn(2, 1, 8, 8)
    with pytest.raises(TapError, match="no feature map `stage9`; known are stage1, stage2, stage3"):
        watched(model, find_taps(model, images), "stage9", images)


def test_pictures_are_as_a_reader_sees_them() -> None:
    grey = torch.tensor([0, 8, 16, 4], dtype=torch.uint8).view(1, 1, 2, 2)
    assert pictures(grey, 16.0)[0, :, :, 2].tolist() == [[0, 0.5], [1, 0.25]]
    colour = torch.arange(3, dtype=torch.uint8).view(1, 3, 1, 1) * 51
    assert pictures(colour, 255.0)[0, 0, 0].tolist() == pytest.approx([0, 0.2, 0.4])


def test_the_figure_of_real_trainings(texts: list[str], pair: Pair, tmp_path: Path) -> None:
    one, other = (cam_figure(texts, out=tmp_path / name, number=(5, 3)) for name in "12")
    rows = list(csv.DictReader(one.csv.read_text().splitlines()))
    assert len(rows) == 4 * 2 * 8
    assert list(dict.fromkeys(row["test_image"] for row in rows)) == ["5", "3"]
    labels = pair.task.targets("test")
    for row in rows:
        assert int(row["class"]) == int(labels[int(row["test_image"])])
        values = [float(row[f"x{x}"]) for x in range(8)]
        assert all(0 <= value <= 1 for value in values)
    teacher = next(row for row in rows if row["network"].startswith("teacher") and row["test_image"] == "5")
    scores = pair.teacher.test["logits"][5].double().softmax(0)
    assert int(teacher["predicted"]) == int(scores.argmax())
    assert float(teacher["confidence"]) == pytest.approx(float(scores.max()), rel=1e-5)
    for ending in ("svg", "png", "csv"):
        assert getattr(one, ending).read_bytes() == getattr(other, ending).read_bytes()


def test_without_the_package_it_says_how_to_get_it(
    texts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def missing(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("pytorch_grad_cam"):
            raise ImportError("none here")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ConfigError, match=r"pip install 'kdzero-gp\[cam\]'"):
        cam_figure(texts, out=tmp_path)
