"""Whether a distiller holds for images that may have several classes."""

from kdzero_gp.grammar.tree import Node, Tree
from kdzero_gp.grammar.types import Logits


def unfit_for_several_classes(tree: Tree) -> str | None:
    """Gives the name of the first operation that takes class scores as one distribution; None where there is none."""
    return next((node.symbol for node in tree.root.walk() if _unfit(node)), None)


def _unfit(node: Node) -> bool:
    if node.operation is None or node.operation.classes != "exclusive":
        return False
    return node.kind == "weight" or any(child.type is Logits for child in node.children)
