"""What a hand-designed method is: a tree or a module, with published weights, for the stages of any pair.

Weights and constants are those published for CIFAR-100 and stand for use without calibration. Every distance of a tree
averages over the batch and over its own positions, as the authors' code and RepDistiller do, so no weight depends on a
batch's size.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from kdzero_gp.errors import ConfigError
from kdzero_gp.grammar.parse import parse
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.methods.loss import MethodLoss
from kdzero_gp.methods.options import Option, checked_options, written
from kdzero_gp.methods.phase import PUBLISHED_EPOCHS

__all__ = ["PUBLISHED_EPOCHS", "Method", "Stages", "module_method", "sum_of", "tree_method"]

Stages = Sequence[str]
"""Names of the feature maps that both networks have, in order."""


@dataclass(frozen=True)
class Method:
    """A published way to train a student, `ce_weight` · cross-entropy + its loss, with its published weights.

    Attributes:
        name: by which users call it.
        text: gives the tree's text form for the names of a pair's stages; None where it is no tree.
        source: the paper.
        ce_weight: weight of the cross-entropy with the labels beside the loss.
        needs_stages: whether it reads feature maps.
        warmup_epochs: of the `PUBLISHED_EPOCHS` of its schedule, those over which the loss's weight rises linearly
            from 0.
        module: makes the loss of a method that is a module, from the names of the stages and its options.
        home: data set and table that its published figures are from.
        exclusive: whether a module takes labels or scores for those of exactly one class; what a tree takes them for,
            its operations tell.
        options: of `text` or `module`, those that differ from their defaults.
    """

    name: str
    text: Callable[..., str] | None
    source: str
    ce_weight: float = 1.0
    needs_stages: bool = False
    warmup_epochs: int = 0
    module: Callable[..., MethodLoss] | None = None
    home: str = "CIFAR-100"
    exclusive: bool = False
    options: Mapping[str, Option] = field(default_factory=dict)

    @property
    def alone(self) -> bool:
        """Whether it is the student alone."""
        return self.text is None and self.module is None

    @property
    def call(self) -> str:
        """How a user writes it: `dkd`, `dkd(beta=8)`."""
        return written(self.name, self.options)

    @property
    def defaults(self) -> dict[str, Option]:
        """Its options by name with their published values."""
        made_by = self.text or self.module
        if made_by is None:
            return {}
        parameters = inspect.signature(made_by).parameters.values()
        return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}

    def having(self, options: Mapping[str, Option]) -> Self:
        """Gives the same method with other options than the published.

        Raises:
            ConfigError: it has no such option, or the option is of another kind.
        """
        return replace(self, options=checked_options(self.name, options, self.defaults))

    def tree(self, stages: Stages = ("stage1", "stage2", "stage3")) -> Tree:
        """Gives the method as a tree for a pair with these stages; its weights are meant for use without calibration.

        Raises:
            ConfigError: it reads feature maps, and the pair has none; or it is no tree.
        """
        if self.alone:
            raise ConfigError(
                f"the method {self.name} trains the student alone and has no distiller; leave it out here, or use kd"
            )
        if self.text is None:
            raise ConfigError(
                f"the method {self.name} is a module with parts of its own and no tree of the language; leave it out "
                "here, or use kd"
            )
        self._check(stages)
        return parse(self.text(stages, **self.options))

    def loss(self, stages: Stages, *, seed: int = 0) -> MethodLoss:
        """Gives the loss of a method that is a module, before it is prepared.

        Args:
            seed: of its initial weights and random numbers.

        Raises:
            ConfigError: it reads feature maps, and the pair has none; or it is no module.
        """
        if self.module is None:
            raise ConfigError(f"the method {self.name} is no module; take its tree()")
        self._check(stages)
        loss = self.module(stages, **self.options)
        loss.seed = seed
        return loss

    def _check(self, stages: Stages) -> None:
        if self.needs_stages and not stages:
            raise ConfigError(
                f"the method {self.name} compares stages, but this pair has none; use kd, or leave it out"
            )


def tree_method(
    source: str,
    *,
    ce_weight: float = 1.0,
    needs_stages: bool = False,
    warmup_epochs: int = 0,
    home: str = "CIFAR-100",
) -> Callable[[Callable[..., str]], Method]:
    """Declares a method by a function that gives its text form for the names of a pair's stages.

    The function's keyword-only arguments are the method's options, their defaults the published values.

    Args:
        source: the paper.
        ce_weight, needs_stages, warmup_epochs, home: see `Method`.
    """

    def declare(text: Callable[..., str]) -> Method:
        return Method(text.__name__, text, source, ce_weight, needs_stages, warmup_epochs, home=home)

    return declare


def module_method(
    name: str,
    source: str,
    *,
    ce_weight: float = 1.0,
    needs_stages: bool = False,
    warmup_epochs: int = 0,
    home: str = "CIFAR-100",
    exclusive: bool = False,
) -> Callable[[type[MethodLoss]], type[MethodLoss]]:
    """Declares a method by the class of its loss, which is made from the names of a pair's stages.

    The keyword-only arguments of its `__init__` are the method's options, their defaults the published values. The
    class keeps it as `method`, by which the registry finds it.

    Args:
        name: by which users call it.
        source: the paper.
        ce_weight, needs_stages, warmup_epochs, home, exclusive: see `Method`.
    """

    def declare(module: type[MethodLoss]) -> type[MethodLoss]:
        module.method = Method(
            name, None, source, ce_weight, needs_stages, warmup_epochs, module=module, home=home, exclusive=exclusive
        )
        return module

    return declare


def sum_of(terms: Sequence[str]) -> str:
    """Gives the text form of a sum: `add(add(a, b), c)`."""
    text, *rest = terms
    for term in rest:
        text = f"add({text}, {term})"
    return text
