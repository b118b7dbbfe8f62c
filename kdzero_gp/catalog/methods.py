"""Hand-designed distillers as named trees: baselines, and seeds for a first population."""

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from kdzero_gp.errors import ConfigError
from kdzero_gp.grammar.parse import parse
from kdzero_gp.grammar.tree import Tree


@dataclass(frozen=True)
class Method:
    """A published distillation loss, `ce_weight` · cross-entropy + tree, with its published weights.

    Attributes:
        text: gives the tree's text form for the names of a pair's stages.
        source: the paper.
        ce_weight: weight of the cross-entropy with the labels beside the tree.
        needs_stages: whether it reads feature maps.
    """

    name: str
    text: Callable[[Sequence[str]], str]
    source: str
    ce_weight: float = 1.0
    needs_stages: bool = True

    def tree(self, stages: Sequence[str] = ("stage1", "stage2", "stage3")) -> Tree:
        """The method as a tree for a pair with these stages; its weights are meant for use without calibration.

        Raises:
            ConfigError: it reads feature maps, and the pair has none.
        """
        if self.needs_stages and not stages:
            raise ConfigError(
                f"the method {self.name} compares stages, but this pair has none; use kd, or leave it out"
            )
        return parse(self.text(stages))


def _kd(stages: Sequence[str]) -> str:
    return "weight(0.9, kl(logits, 4))"


def _at(stages: Sequence[str]) -> str:
    text, *rest = [f"weight(1000, l2(norm_hw(satt_map({stage}))))" for stage in stages]
    for term in rest:
        text = f"add({text}, {term})"
    return text


def _sp(stages: Sequence[str]) -> str:
    return f"weight(3000, l2(norm_c(mm({stages[-1]}))))"


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("kd", _kd, "Hinton, Vinyals, Dean: Distilling the Knowledge in a Neural Network (2015)", 0.1, False),
        Method("at", _at, "Zagoruyko, Komodakis: Paying More Attention to Attention (ICLR 2017)"),
        Method("sp", _sp, "Tung, Mori: Similarity-Preserving Knowledge Distillation (ICCV 2019)"),
    )
}


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
