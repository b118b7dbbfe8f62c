"""`torchvision:NAME` and `timm:NAME`."""

import builtins
import sys
from typing import Any

import pytest
import torch

from kdzero_gp.errors import ModelError
from kdzero_gp.models import build


@pytest.mark.parametrize("name", ["torchvision:resnet18", "torchvision:mobilenet_v3_small", "torchvision:googlenet"])
def test_torchvision_networks_score_the_classes_asked_for(name: str) -> None:
    model = build(name, num_classes=7).train()
    assert model(torch.zeros(2, 3, 64, 64)).shape == (2, 7)


@pytest.mark.parametrize("name", ["timm:test_vit", "timm:resnet10t", "timm:resnet10t.c3_in1k"])
def test_timm_networks_take_any_number_of_channels(name: str) -> None:
    pytest.importorskip("timm")
    model = build(name, num_classes=7, in_channels=2).eval()
    size = 160 if "vit" in name else 32
    assert model(torch.zeros(2, 2, size, size)).shape == (2, 7)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("torchvision:resnet19", "no classification model 'resnet19'.*torchvision:resnet18"),
        ("torchvision:", "torchvision has no classification model ''"),
        ("torchvision:fasterrcnn_resnet50_fpn", "no classification model"),
        ("timm:deit_tiny", "no classification model 'deit_tiny'.*timm:deit_tiny_patch16_224"),
        ("timm:hf-hub:somebody/something", "no classification model 'hf-hub:somebody/something'"),
        ("timm:local-dir:/weights", "no classification model"),
    ],
)
def test_unknown_names_are_answered_with_known_ones(name: str, message: str) -> None:
    if name.startswith("timm"):
        pytest.importorskip("timm")
    with pytest.raises(ModelError, match=message):
        build(name, num_classes=7)


def test_torchvision_networks_take_colour_images_alone() -> None:
    with pytest.raises(ModelError, match="takes images of 3 channels, but these have 1; timm:NAME takes any"):
        build("torchvision:resnet18", num_classes=7, in_channels=1)


@pytest.mark.parametrize(("library", "advice"), [("timm", r"pip install 'kdzero-gp\[timm\]'"), ("torchvision", "pip")])
def test_a_missing_library_is_named(library: str, advice: str, monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def without(name: str, *args: Any, **options: Any) -> Any:
        if name.split(".")[0] == library:
            raise ImportError(f"No module named '{library}'")
        return original(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.delitem(sys.modules, library, raising=False)
    with pytest.raises(ModelError, match=f"{library}: models need {library}.*{advice}"):
        build(f"{library}:resnet18", num_classes=7)
