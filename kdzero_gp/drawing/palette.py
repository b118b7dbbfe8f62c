"""The gallery's colours. Every text on its fill has a contrast of at least 7 : 1, every line on white 4.5 : 1."""

from dataclasses import dataclass
from typing import Final

from kdzero_gp.grammar.tree import Node
from kdzero_gp.grammar.types import Logits, Loss, Map, PerSample, Rows, Vector


@dataclass(frozen=True)
class Colour:
    """Fill and outline of one kind of node, on a light page and on a dark one."""

    name: str
    fill: str
    line: str
    dark_fill: str
    dark_line: str


CONSTANT: Final = Colour("constant", "#eceef1", "#5b6470", "#333a44", "#a9b3c1")
BY_TYPE: Final[dict[type, Colour]] = {
    Map: Colour("Map", "#cfe3fb", "#1f5fa8", "#173a60", "#7db4f0"),
    Rows: Colour("Rows", "#cdeeea", "#0f6b66", "#0f4542", "#63c9c1"),
    Vector: Colour("Vector", "#e3dafa", "#6541b8", "#3b2b6b", "#b9a2f2"),
    Logits: Colour("Logits", "#fad7e8", "#a81f68", "#5c1a3e", "#f08cbe"),
    PerSample: Colour("PerSample", "#ffe4bd", "#8f4a07", "#553208", "#efb163"),
    Loss: Colour("Loss", "#d5efcb", "#2b6b2e", "#1f4a22", "#83cf86"),
}
ALL: Final = (*BY_TYPE.values(), CONSTANT)

INK: Final = "#1a1d21"
STUDENT: Final = "#2f7de0"
TEACHER: Final = "#d9631e"
"""The two lines of a student-teacher pair; mid tones that stand out on white and on near-black."""


def colour(node: Node) -> Colour:
    """Chooses the colour of a node by its result's type; constants share one."""
    return CONSTANT if node.kind == "constant" else BY_TYPE.get(node.type, CONSTANT)
