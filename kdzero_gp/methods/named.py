"""A distiller as a user names it: a best.json, a text form, a hand-designed method, a sum of two, or none."""

import difflib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.distiller.program import terms_of
from kdzero_gp.errors import ConfigError, TapError
from kdzero_gp.grammar.grammar import usual_taps
from kdzero_gp.grammar.parse import parse
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.methods.added import AddedTree
from kdzero_gp.methods.loss import MethodLoss
from kdzero_gp.methods.method import Method
from kdzero_gp.methods.phase import PUBLISHED_EPOCHS
from kdzero_gp.methods.registry import METHODS, method, names_method
from kdzero_gp.tasks.kind import TaskKind
from kdzero_gp.tasks.kinds import check_tree
from kdzero_gp.untrusted import user_path

PLUS = " + "
"""Between two distillers, the second of which is added to the first."""


@dataclass(frozen=True)
class NamedDistiller:
    """A way to train a student: `ce_weight` · cross-entropy + module + tree, of which either may be missing.

    Attributes:
        name: what the user called it.
        tree: None for the student alone, or a module alone.
        calibration: one factor per term of the canonical form, None for the formula as written.
        warmup_epochs: of a published schedule of `PUBLISHED_EPOCHS`, those over which the tree's weight rises linearly
            from 0; a shorter or longer training takes the same share of its own.
        module: a method that is a module, as `kdzero_gp.methods.registry.method` reads it.
    """

    name: str
    tree: Tree | None
    calibration: tuple[float, ...] | None = None
    ce_weight: float = 1.0
    warmup_epochs: int = 0
    module: str | None = None

    @property
    def alone(self) -> bool:
        """Whether it is the student alone."""
        return self.tree is None and self.module is None

    def check(self, kind: TaskKind, whose: str) -> None:
        """Sees that it fits the classes of a kind of task.

        Args:
            whose: what messages call it.

        Raises:
            ConfigError: it takes class scores as one distribution, and classes do not exclude one another.
        """
        if self.tree is not None:
            check_tree(kind, self.tree, whose)
        if self.module is not None:
            _check_module(kind, method(self.module), whose)

    @property
    def warmup(self) -> float:
        """Share of a training over which the tree's weight rises."""
        return self.warmup_epochs / PUBLISHED_EPOCHS

    def warmup_steps(self, steps: int) -> int:
        """Gives the same in steps, of a training of so many."""
        return round(self.warmup * steps)


def named_distiller(text: str, stages: Sequence[str]) -> NamedDistiller:
    """Gives the distiller that a text names, for a pair with these stages.

    Args:
        text: the path of a `best.json`, which comes with its stored calibration; a text form, as written; the name of a
            hand-designed method, with its published weights; or `none`, the student alone. `kd + best.json` is the sum
            of two, each as it is alone, with the first one's cross-entropy weight and warm-up.
        stages: names of the stages that both networks have.

    Raises:
        ConfigError: it is none of these.
        ParseError: a text form that cannot be read; names the position.
        DistillerFileError: the file is missing, not one of ours, or damaged.
        PrimitiveError: the file uses a primitive that is not registered.
        TapError: it reads a stage that the pair does not have.
    """
    text = text.strip()
    if names_method(text):
        chosen = method(text)
        if chosen.module is not None:
            chosen.loss(stages)  # which finds out whether it fits
            return NamedDistiller(text, None, None, chosen.ce_weight, chosen.warmup_epochs, chosen.call)
        tree = None if chosen.alone else chosen.tree(stages)
        return NamedDistiller(text, tree, None, chosen.ce_weight, chosen.warmup_epochs)
    if is_file_name(text):
        from kdzero_gp.export.distiller_file import load

        distiller = load(text)
        _check_stages(text, distiller.tree, stages)
        return NamedDistiller(text, distiller.tree, tuple(distiller.calibration.tolist()))
    if PLUS in text:
        return _sum(text, *(named_distiller(part, stages) for part in text.rsplit(PLUS, 1)))
    if "(" in text:
        return NamedDistiller(text, parse(text, taps=usual_taps(stages)))
    close = difflib.get_close_matches(text, METHODS, n=1)
    shown = text if len(text) <= 60 else f"{text[:57]}..."
    hint = f" Did you mean '{close[0]}'?" if close else ""
    raise ConfigError(
        f"'{shown}' names no distiller.{hint} Give a method ({', '.join(METHODS)}), the path of a best.json, or a text "
        "form such as 'weight(1, kl(logits, 4))'"
    )


def check_loss(kind: TaskKind, loss: Distiller | MethodLoss, whose: str) -> None:
    """Gives the same for a loss that exists already."""
    if isinstance(loss, AddedTree):
        check_loss(kind, loss.base, whose)
        check_loss(kind, loss.distiller, whose)
    elif isinstance(loss, Distiller):
        check_tree(kind, loss.tree, whose)
    elif loss.method is not None:
        _check_module(kind, loss.method, whose)


def _check_module(kind: TaskKind, chosen: Method, whose: str) -> None:
    if chosen.exclusive and not kind.exclusive:
        raise ConfigError(
            f"{whose} is {chosen.name}, which holds for images of exactly one class, but with --task {kind.name} an "
            f"image may have several; take the method {kind.baseline}"
        )


def is_file_name(text: str) -> bool:
    """Tells whether a text is to be read as a path: it ends as a distiller file does, or a file of that name exists."""
    with suppress(OSError, ValueError):  # too long, or with characters that no path has
        if "(" not in text and user_path(text).is_file():
            return True
    return PLUS not in text and text.lower().endswith(".json")


def _sum(text: str, first: NamedDistiller, second: NamedDistiller) -> NamedDistiller:

    if first.alone or second.alone:
        raise ConfigError(f"'{text}' adds to `none`, the student alone, which has no distiller; leave it out")
    if first.module is not None and second.module is not None:
        raise ConfigError(f"'{text}' adds two methods that are modules; one of the two must be a tree")
    module = first.module or second.module
    parts = [(part.tree, part.calibration) for part in (first, second) if part.tree is not None]
    tree, calibration = parts[0] if len(parts) == 1 else summed(*parts)
    factors = None if calibration is None else tuple(calibration)
    return NamedDistiller(text, tree, factors, first.ce_weight, first.warmup_epochs, module)


def make_loss(
    tree: str | Tree | None,
    module: str | None,
    stages: Sequence[str],
    *,
    calibration: Sequence[float] | None = None,
    seed: int = 0,
) -> Distiller | MethodLoss | None:
    """Gives the loss of a tree, of a method that is a module, or of both together; None for the student alone.

    Args:
        tree: text form.
        module: as `kdzero_gp.methods.registry.method` reads it.
        stages: names of the stages that both networks have.
        calibration: one factor for each term of the tree.
        seed: of initial weights and random numbers.
    """
    distiller = None if tree is None else Distiller(tree, calibration=calibration, seed=seed)
    if module is None:
        return distiller
    loss = method(module).loss(stages, seed=seed)
    return loss if distiller is None else AddedTree(loss, distiller)


def _check_stages(name: str, tree: Tree, stages: Sequence[str]) -> None:
    known = usual_taps(stages)
    for tap in tree.root.taps():
        if tap not in known:
            raise TapError(
                f"{name} reads `{tap}`, but this pair has {', '.join(known)}; take a distiller that was evolved for a "
                "pair with such taps, or name the layers that are to be its stages"
            )


Scaled = tuple[Tree, Sequence[float] | None]
"""A tree with one factor for each term of its canonical form; None as written, that is, 1 for each."""


def summed(first: Scaled, second: Scaled) -> Scaled:
    """`add(first, second)` with its factors. Terms of one distance, which the canonical form merges, add up too."""
    tree = parse(f"add({first[0]}, {second[0]})")
    if first[1] is None and second[1] is None:
        return tree, None
    weighted: dict[str, list[tuple[float, float]]] = {}
    for part, factors in (first, second):
        terms = terms_of(part.canonical().root)
        for term, factor in zip(terms, factors or [1.0] * len(terms), strict=True):
            weighted.setdefault(term.distance.text, []).append((term.value, factor))
    together = [weighted[term.distance.text] for term in terms_of(tree.canonical().root)]
    return tree, tuple(_factor(pairs) for pairs in together)


def _factor(pairs: Sequence[tuple[float, float]]) -> float:
    if len(pairs) == 1:
        return pairs[0][1]  # as it was, to the last bit
    return sum(value * factor for value, factor in pairs) / sum(value for value, _ in pairs)
