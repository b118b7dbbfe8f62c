"""What a hand-designed distiller is: a tree with published weights, for the stages of any pair.

Weights and constants are those published for CIFAR-100 and stand for use without calibration. Every distance averages
over the batch and over its own positions, as the authors' code and RepDistiller do, so no weight depends on a batch's
size.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kdzero_gp.errors import ConfigError
from kdzero_gp.grammar.parse import parse
from kdzero_gp.grammar.tree import Tree

Stages = Sequence[str]
"""Names of the feature maps that both networks have, in order."""
PUBLISHED_EPOCHS = 240
"""Of the schedule that published weights and warm-ups belong to, RepDistiller's for CIFAR-100."""


@dataclass(frozen=True)
class Method:
    """A published way to train a student, `ce_weight` · cross-entropy + tree, with its published weights.

    Attributes:
        text: gives the tree's text form for the names of a pair's stages; None for the student alone.
        source: the paper.
        ce_weight: weight of the cross-entropy with the labels beside the tree.
        needs_stages: whether it reads feature maps.
        warmup_epochs: of the `PUBLISHED_EPOCHS` of its schedule, those over which the tree's weight rises linearly
            from 0.
    """

    name: str
    text: Callable[[Stages], str] | None
    source: str
    ce_weight: float = 1.0
    needs_stages: bool = False
    warmup_epochs: int = 0

    def tree(self, stages: Sequence[str] = ("stage1", "stage2", "stage3")) -> Tree:
        """The method as a tree for a pair with these stages; its weights are meant for use without calibration.

        Raises:
            ConfigError: it reads feature maps, and the pair has none; or it is the student alone.
        """
        if self.text is None:
            raise ConfigError(
                f"the method {self.name} trains the student alone and has no distiller; leave it out here, or use kd"
            )
        if self.needs_stages and not stages:
            raise ConfigError(
                f"the method {self.name} compares stages, but this pair has none; use kd, or leave it out"
            )
        return parse(self.text(stages))


def tree_method(
    source: str, *, ce_weight: float = 1.0, needs_stages: bool = False, warmup_epochs: int = 0
) -> Callable[[Callable[[Stages], str]], Method]:
    """Declares a method by a function that gives its text form for the names of a pair's stages.

    Args:
        source: the paper.
        ce_weight, needs_stages, warmup_epochs: see `Method`.
    """

    def declare(text: Callable[[Stages], str]) -> Method:
        return Method(text.__name__, text, source, ce_weight, needs_stages, warmup_epochs)

    return declare


def sum_of(terms: Sequence[str]) -> str:
    """The text form of a sum: `add(add(a, b), c)`."""
    text, *rest = terms
    for term in rest:
        text = f"add({text}, {term})"
    return text
