"""A distiller as a drawing of box characters, for terminals.

add                Loss
├─ weight 1        Loss
│  └─ kl τ=4       PerSample
│     └─ logits    Logits
└─ weight 5        Loss
   └─ l1           PerSample
      └─ stage2    Map
"""

from collections.abc import Iterator, Sequence

from kdzero_gp.drawing.terms import calibration_by_term
from kdzero_gp.grammar.tree import Node, Tree
from kdzero_gp.grammar.types import Constant
from kdzero_gp.untrusted import rounded

_ASCII = str.maketrans({"├": "|", "└": "`", "│": "|", "─": "-", "·": "*"})


def show(tree: Tree, *, calibration: Sequence[float] = (), ascii_only: bool = False) -> str:
    """Draws a tree from the loss down, with constants beside the operations they belong to and types on the right.

    Args:
        calibration: one factor per term, shown at the `weight` nodes.
        ascii_only: for terminals and files that hold no other characters.
    """
    factors = calibration_by_term(tree, calibration)
    rows = []
    for rails, node in _rows(tree.root, "", ""):
        factor = f" · calibration {rounded(factors[node])}" if node in factors else ""
        rows.append((rails + node.symbol + _constants(node, ascii_only) + factor, node.type.__name__))
    if ascii_only:
        rows = [(left.translate(_ASCII), right) for left, right in rows]
    width = max(len(left) for left, _ in rows)
    return "\n".join(f"{left:<{width}}  {right}" for left, right in rows)


def _rows(node: Node, first: str, others: str) -> Iterator[tuple[str, Node]]:
    """Yields every row's rails and node; `first` precedes this node, `others` all below it."""
    yield first, node
    children = [child for child in node.children if child.kind != "constant"]
    for position, child in enumerate(children, start=1):
        last = position == len(children)
        yield from _rows(child, others + ("└─ " if last else "├─ "), others + ("   " if last else "│  "))


def _constants(node: Node, ascii_only: bool) -> str:
    text = ""
    for child in node.children:
        if child.value is not None and issubclass(child.type, Constant):
            sign = child.type.plain_sign if ascii_only else child.type.sign
            text += f" {sign}{'=' if sign else ''}{rounded(child.value)}"
    return text
