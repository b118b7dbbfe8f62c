r"""A distiller as a LaTeX formula.

    \mathcal{L} = 1\cdot\mathbb{E}\left[\mathrm{kl}_{\tau=4}(z^{s}, z^{t})\right]
                + 5\cdot\mathbb{E}\left[w_{\mathrm{entropy}}\cdot\mathrm{l1}(x_{1}^{s}, x_{1}^{t})\right]
    x_{1} = \mathrm{norm\_n}(\mathrm{catt}(F_{2}))

E is the mean over the batch; s and t mark the student's and the teacher's tensor. What a distance compares gets a
symbol of its own where it is more than a tap, so that a chain of transforms is written once and not for each side.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence

from kdzero_gp.drawing.terms import calibration_by_term
from kdzero_gp.grammar.operation import ADD, WEIGHT, Operation
from kdzero_gp.grammar.tree import Node, Tree
from kdzero_gp.grammar.types import KNOWLEDGE, Constant, Loss, PerSample

_SPECIAL = re.compile(r"([_&%$#{}])")


def latex(tree: Tree, calibration: Sequence[float] = (), *, legend: bool = True) -> str:
    """Writes the formula as one `aligned` block for use between `$$`.

    Args:
        calibration: one factor per term, written behind the term's weight.
        legend: whether the definitions of the operations follow, as far as they declare a formula.
    """
    lines = formula_lines(tree, calibration)
    if legend:
        lines += [f"{_name(o.name)} &: {o.formula}" for o in operations(tree) if o.formula]
    body = " \\\\\n".join(f"  {line if '&' in line else line.replace('=', '&=', 1)}" for line in lines)
    return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"


def formula_lines(tree: Tree, calibration: Sequence[float] = ()) -> list[str]:
    """Writes the formula's lines, the loss first, then its symbols, in LaTeX that matplotlib reads."""
    writer = _Writer(calibration_by_term(tree, calibration))
    loss = writer.expression(tree.root)
    definitions = [f"{symbol} = {text}" for symbol, text in writer.definitions.values()]
    return [rf"\mathcal{{L}} = {loss}", *definitions]


def operations(tree: Tree) -> list[Operation]:
    """Lists a tree's operations, each once, in order of appearance; `weight` and `add` are left out."""
    found = {n.operation.name: n.operation for n in tree.root.walk() if n.operation and n.kind != "structure"}
    return list(found.values())


class _Writer:
    """Writes expressions, collecting the definitions they need."""

    def __init__(self, factors: Mapping[Node, float]) -> None:
        self.factors = factors
        self.definitions: dict[Node, tuple[str, str]] = {}

    def expression(self, node: Node) -> str:
        """Gives a node of any kind, as it stands inside another's formula."""
        if node.kind == "tap":
            return _tap(node.symbol)
        if node.value is not None:
            return number(node.value)
        if node.symbol == ADD.name:
            return " + ".join(self.expression(child) for child in node.children)
        if node.symbol == WEIGHT.name:
            factor = rf"\cdot {number(self.factors[node])}" if node in self.factors else ""
            value, distance = node.children
            return rf"{self.expression(value)}{factor}\cdot\mathbb{{E}}\left[{self.expression(distance)}\right]"
        if node.kind == "weight":
            return rf"{_weighting(node.symbol)}\cdot {', '.join(map(self.expression, node.children))}"
        if node.type is PerSample:
            return self.distance(node)
        return self.call(node, _arguments(node, lambda child: [self.expression(child)]))

    def distance(self, node: Node) -> str:
        """Takes the two sides of a distance apart: its inputs are symbols with s and t."""
        return self.call(node, _arguments(node, self.sides))

    def sides(self, node: Node) -> list[str]:
        """Student's and teacher's side of a pair."""
        if node.type not in KNOWLEDGE:
            return [self.expression(node)]
        if node.kind != "tap" and node not in self.definitions:
            text = self.expression(node)
            self.definitions[node] = (f"x_{{{len(self.definitions) + 1}}}", text)
        symbol = _tap(node.symbol) if node.kind == "tap" else self.definitions[node][0]
        return [f"{symbol}^{{s}}", f"{symbol}^{{t}}"]

    def call(self, node: Node, arguments: list[str]) -> str:
        """Gives an operation with the constants that have a sign as an index and everything else in brackets."""
        signed = [(sign, child.value) for child in node.children if (sign := _sign(child)) and child.value is not None]
        index = f"_{{{','.join(f'{sign}={number(value)}' for sign, value in signed)}}}" if signed else ""
        side = node.operation.side if node.operation is not None else "both"
        only = "" if side == "both" else f"^{{{side[0]}}}"
        brackets = (r"\left[", r"\right]") if node.type is Loss else ("(", ")")
        return f"{_name(node.symbol)}{only}{index}{brackets[0]}{', '.join(arguments)}{brackets[1]}"


def number(value: float) -> str:
    r"""Gives a number to three significant digits: `0.0032`, `1.2\times 10^{-5}`."""
    if not math.isfinite(value):
        return rf"\mathrm{{{value}}}"
    if value == 0 or 1e-3 <= abs(value) < 1e4:
        return f"{float(f'{value:.3g}'):g}"
    mantissa, exponent = f"{value:.3g}".split("e") if "e" in f"{value:.3g}" else f"{value:.2e}".split("e")
    return rf"{float(mantissa):g}\times 10^{{{int(exponent)}}}"


def _arguments(node: Node, write: Callable[[Node], list[str]]) -> list[str]:
    return [text for child in node.children if not _sign(child) for text in write(child)]


def _sign(node: Node) -> str:
    return node.type.latex if issubclass(node.type, Constant) else ""


def _tap(name: str) -> str:
    stage = re.fullmatch(r"stage(\d+)", name)
    return f"F_{{{stage[1]}}}" if stage else {"pool": "f", "logits": "z"}.get(name, _name(name))


def _weighting(name: str) -> str:
    return f"w_{{{_name(name.removeprefix('w_'))}}}" if name.startswith("w_") else _name(name)


def _name(name: str) -> str:
    escaped = _SPECIAL.sub(r"\\\1", name)
    return rf"\mathrm{{{escaped}}}"
