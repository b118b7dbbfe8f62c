"""Published checkpoints: names that fit, and a score that repeats."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from kdzero_gp import models

MEAN, STD = (0.5070, 0.4865, 0.4409), (0.2673, 0.2564, 0.2761)

# A few names with shapes out of RepDistiller's checkpoints, at 100 classes.
NAMES = {
    "wrn_40_2": {"block2.layer.0.convShortcut.weight": (64, 32, 1, 1), "bn1.bias": (128,), "fc.weight": (100, 128)},
    "vgg13": {"block0.3.weight": (64, 64, 3, 3), "block4.4.running_var": (512,), "classifier.weight": (100, 512)},
    "vgg19": {"block2.9.bias": (256,), "block4.10.weight": (512,)},
    "mobilenetv2": {"blocks.3.0.conv.3.weight": (96, 1, 3, 3), "conv2.0.weight": (1280, 160, 1, 1)},
    "shufflenetv1": {"layer1.0.conv3.weight": (216, 18, 1, 1), "linear.weight": (100, 960)},
    "shufflenetv2": {"layer2.0.conv5.weight": (116, 116, 1, 1), "conv2.weight": (1024, 464, 1, 1)},
    "resnet50": {"layer2.0.shortcut.0.weight": (512, 256, 1, 1), "linear.bias": (100,)},
    "resnet8x4": {"layer3.0.downsample.0.weight": (256, 128, 1, 1), "fc.weight": (100, 256)},
    "t2t_vit_7": {
        "tokens_to_token.attention1.w": (32, 64),
        "tokens_to_token.attention2.kqv.weight": (192, 576),
        "pos_embed": (1, 197, 256),
        "blocks.6.mlp.fc1.weight": (512, 256),
    },
}


@pytest.mark.parametrize("name", NAMES)
def test_parameter_names_are_the_published_ones(name: str) -> None:
    state = models.build(name, num_classes=100).state_dict()
    assert {key: tuple(state[key].shape) for key in NAMES[name]} == NAMES[name]


def test_the_published_resnet56_scores_what_was_published() -> None:
    weights, folder = os.environ.get("KDZERO_GP_RESNET56"), os.environ.get("KDZERO_GP_CIFAR100")
    if not weights or not folder:
        pytest.skip("needs KDZERO_GP_RESNET56 (the weights) and KDZERO_GP_CIFAR100 (the folder of cifar100_test.npz)")
    model = models.build("resnet56", num_classes=100).eval()
    models.load_weights(model, weights)
    with np.load(Path(folder) / "cifar100_test.npz") as test:
        images, labels = torch.from_numpy(test["x"]), torch.from_numpy(test["y"])
    right = 0
    with torch.inference_mode():
        for batch, truth in zip(images.split(100), labels.split(100), strict=True):
            normalised = ((batch / 255 - torch.tensor(MEAN)) / torch.tensor(STD)).permute(0, 3, 1, 2)
            right += int((model(normalised).argmax(1) == truth).sum())
    assert right / len(labels) == pytest.approx(0.7263, abs=2e-4)
