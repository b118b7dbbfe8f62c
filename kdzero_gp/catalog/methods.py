"""Hand-designed distillers as named trees: baselines, and seeds for a first population."""

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from kdzero_gp.catalog import texts
from kdzero_gp.errors import ConfigError
from kdzero_gp.grammar.parse import parse
from kdzero_gp.grammar.tree import Tree

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
    text: Callable[[Sequence[str]], str] | None
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


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("kd", texts.kd, "Hinton, Vinyals, Dean: Distilling the Knowledge in a Neural Network (2015)", 0.1),
        Method("at", texts.at, "Zagoruyko, Komodakis: Paying More Attention to Attention (ICLR 2017)", 1.0, True),
        Method("sp", texts.sp, "Tung, Mori: Similarity-Preserving Knowledge Distillation (ICCV 2019)", 1.0, True),
        Method("fitnet", texts.fitnet, "Romero et al.: FitNets: Hints for Thin Deep Nets (ICLR 2015)", 1.0, True),
        Method("nst", texts.nst, "Huang, Wang: Like What You Like (2017)", 1.0, True),
        Method("rkd", texts.rkd, "Park et al.: Relational Knowledge Distillation (CVPR 2019)"),
        Method("pkt", texts.pkt, "Passalis, Tefas: Probabilistic Knowledge Transfer (ECCV 2018)"),
        Method("dist", texts.dist, "Huang et al.: Knowledge Distillation from A Stronger Teacher (NeurIPS 2022)"),
        Method("dkd", texts.dkd, "Zhao et al.: Decoupled Knowledge Distillation (CVPR 2022)", warmup_epochs=20),
        Method("lskd", texts.lskd, "Sun et al.: Logit Standardization in Knowledge Distillation (CVPR 2024)"),
        Method("none", None, "the student alone, cross-entropy with the labels"),
    )
}
"""By name. Their order is that of lists and messages."""


def method(name: str) -> Method:
    """The method of a name.

    Raises:
        ConfigError: there is none; names the known and the closest ones.
    """
    if name not in METHODS:
        close = difflib.get_close_matches(name, METHODS, n=1)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        raise ConfigError(f"Unknown method '{name}'.{hint} Known: {', '.join(METHODS)}")
    return METHODS[name]


def methods(names: Iterable[str]) -> list[Method]:
    """The methods of several names, each once, in order."""
    return [method(name) for name in dict.fromkeys(names)]
