"""A network of one's own: one file with a decorated class, and the whole program has it."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from kdzero_gp.errors import ConfigError, ModelError
from kdzero_gp.models import build, input_size, names
from kdzero_gp.models.network import NETWORKS, network, student_recipe
from kdzero_gp.pair.assemble import make_data
from kdzero_gp.pair.check import make_pair
from kdzero_gp.run.config import make_config
from kdzero_gp.tasks.presets import named_recipe_for, recipes_for
from kdzero_gp.train.config import make_fit_config


@pytest.fixture(autouse=True)
def _own() -> Iterator[None]:
    with NETWORKS.restored():

        @network({"tiny4": (4,), "tiny6": (6,)})
        class Tiny(nn.Module):
            """One convolution of W channels, average, linear."""

            def __init__(self, width: int, *, num_classes: int, in_channels: int) -> None:
                super().__init__()
                self.layer1 = nn.Sequential(nn.Conv2d(in_channels, width, 3, padding=1), nn.ReLU())
                self.fc = nn.Linear(width, num_classes)

            def forward(self, images: Tensor) -> Tensor:
                """(N, C, H, W) to (N, K)."""
                scores: Tensor = self.fc(self.layer1(images).mean((2, 3)))
                return scores

        @network("patchy", size=(16, 16), step=8, recipe="locality")
        def patchy(*, num_classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Module:
            inputs = in_channels * image_size[0] * image_size[1]
            return nn.Sequential(nn.Flatten(), nn.Linear(inputs, num_classes))

        yield


def test_it_is_built_by_name_and_listed() -> None:
    assert build("tiny6", num_classes=3, in_channels=1)(torch.zeros(2, 1, 5, 5)).shape == (2, 3)
    assert {"tiny4", "tiny6", "patchy"} < set(names())
    with pytest.raises(ModelError, match=r"Did you mean 'tiny[46]'\?"):
        build("tiny", num_classes=3)


def test_a_pair_can_be_made_of_it() -> None:
    config = make_config(teacher="tiny6", student="tiny4", limit=64)
    shared = make_pair(config, make_data(config)).found.taps.shared
    assert [tap.shape[0] for tap in (shared.teacher["stage1"], shared.student["stage1"])] == [6, 4]


def test_its_size_and_its_recipe_are_its_own() -> None:
    assert (input_size("patchy"), input_size("tiny4")) == ((16, 16), None)
    assert build("patchy", num_classes=3, image_size=(8, 24))(torch.zeros(1, 3, 8, 24)).shape == (1, 3)
    with pytest.raises(ModelError, match="patchy is to take images of 12x16, but both must be multiples of 8"):
        build("patchy", num_classes=3, image_size=(12, 16))
    assert (student_recipe("patchy"), student_recipe("tiny4")) == ("locality", "repdistiller")
    assert named_recipe_for("patchy", "cifar100") == "locality"
    assert recipes_for("cifar100", "patchy")[0].optimiser == "adamw"
    config = make_fit_config(distiller="kd", data="cifar100", student="patchy")
    assert (config.recipe.optimiser, config.augment) == ("adamw", "strong")


def test_a_name_is_given_once() -> None:
    with pytest.raises(ConfigError, match=r"resnet20 .* is taken by kdzero_gp\.models\.resnet\.ResNet"):
        network("resnet20")(nn.Identity)
