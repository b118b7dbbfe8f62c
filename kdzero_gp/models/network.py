"""Networks by name: each is declared beside its class, with its input and recipe."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from torch import nn

from kdzero_gp.errors import ModelError
from kdzero_gp.folder_choices import FolderChoices

Size = tuple[int, int]
Factory = TypeVar("Factory", bound=Callable[..., nn.Module])
CNN_RECIPE, LIGHT_RECIPE, TRANSFORMER_RECIPE = "repdistiller", "repdistiller-light", "locality"
LIGHT = ("mobilenet", "shufflenet")
TRANSFORMERS = ("deit", "t2t", "vit")


@dataclass(frozen=True)
class Network:
    """A network with a name.

    Attributes:
        factory: called with `num_classes`, `in_channels` and, where `size` is given, `image_size`.
        arguments: its first ones, which make it the one of this name.
        size: (H, W) that it was designed for; None where it takes images as they come.
        step: what height and width must be multiples of; the images of one that takes any are not looked at.
        recipe: name of the preset that it is published with as a student.
    """

    name: str
    factory: Callable[..., nn.Module]
    arguments: tuple[Any, ...] = ()
    size: Size | None = None
    step: int = 1
    recipe: str = CNN_RECIPE

    def build(self, *, num_classes: int, in_channels: int, image_size: Size | None) -> nn.Module:
        """Makes the network, freshly initialised; arguments as of `kdzero_gp.models.build`.

        Raises:
            ModelError: it is not for images of this size.
        """
        if self.size is None:
            return self.factory(*self.arguments, num_classes=num_classes, in_channels=in_channels)
        height, width = image_size or self.size
        if height < self.step or width < self.step or height % self.step or width % self.step:
            raise ModelError(
                f"{self.name} is to take images of {height}x{width}, but both must be multiples of {self.step}, the "
                f"size of its patches; it was designed for {self.size[0]}x{self.size[1]}"
            )
        size = (height, width)
        return self.factory(*self.arguments, num_classes=num_classes, in_channels=in_channels, image_size=size)


@dataclass(frozen=True)
class Family:
    """Networks of one form of name, such as `cnnW`, of which only a few are listed.

    Attributes:
        shown: what messages call it.
        pattern: of the whole name.
        arguments: the first ones of the factory, from the pattern's match.
    """

    shown: str
    pattern: re.Pattern[str]
    factory: Callable[..., nn.Module]
    arguments: Callable[[re.Match[str]], tuple[Any, ...]]


NETWORKS: FolderChoices[Network] = FolderChoices("--student", "kdzero_gp.models")
"""All networks that are listed, by name."""
FAMILIES: FolderChoices[Family] = FolderChoices("--student", "kdzero_gp.models")
"""Families by what messages call them."""


def network(
    names: str | Mapping[str, tuple[Any, ...]], *, size: Size | None = None, step: int = 1, recipe: str = CNN_RECIPE
) -> Callable[[Factory], Factory]:
    """Declares a network by its class or factory.

    Args:
        names: its name; or several, each with the first arguments that the class is then called with.
        size, step, recipe: see `Network`.
    """
    each = {names: ()} if isinstance(names, str) else names

    def register(factory: Factory) -> Factory:
        for name, arguments in each.items():
            made = Network(name, factory, arguments, size, step, recipe)
            NETWORKS.add(name, made, name, _source(factory))
        return factory

    return register


def network_family(
    shown: str, pattern: str, arguments: Callable[[re.Match[str]], tuple[Any, ...]]
) -> Callable[[Factory], Factory]:
    """Declares networks of one form of name, see `Family`."""

    def register(factory: Factory) -> Factory:
        FAMILIES.add(shown, Family(shown, re.compile(pattern), factory, arguments), shown, _source(factory))
        return factory

    return register


def _source(factory: Callable[..., nn.Module]) -> str:
    return f"{factory.__module__}.{factory.__qualname__}"


def find_network(name: str) -> Network | None:
    """Finds the network of this package that has this name; None for any other."""
    if name in NETWORKS:
        return NETWORKS[name]
    for family in FAMILIES.values():
        if match := family.pattern.fullmatch(name):
            return Network(name, family.factory, family.arguments(match))
    return None


def student_recipe(name: str) -> str:
    """Names the preset that a student is published with.

    A network of a library or of the user's own declares none: it is told by how its name begins.
    """
    if (found := find_network(name)) is not None:
        return found.recipe
    architecture = name.rpartition(":")[2].lower()
    if architecture.startswith(TRANSFORMERS):
        return TRANSFORMER_RECIPE
    return LIGHT_RECIPE if architecture.startswith(LIGHT) else CNN_RECIPE
