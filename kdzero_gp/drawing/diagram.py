"""Draws a distiller: taps on the left flow through the operations into the loss on the right.

A student and its teacher run side by side as two coloured lines until a distance joins them. Every distinct subtree
is drawn once, as it is computed once. The same tree always gives the same source, byte for byte.
"""

import html
from collections.abc import Collection, Mapping, Sequence
from typing import TypedDict, Unpack

import graphviz

from kdzero_gp.drawing.palette import CONSTANT, INK, STUDENT, TEACHER, colour
from kdzero_gp.drawing.reading import Reading, muted
from kdzero_gp.drawing.terms import calibration_by_term
from kdzero_gp.errors import KdzeroError
from kdzero_gp.grammar.tree import Node, Tree
from kdzero_gp.grammar.types import KNOWLEDGE, Constant
from kdzero_gp.untrusted import printable, rounded

MAXIMUM_NODES = 400
"""Beyond this a drawing takes long to lay out and shows nothing."""

FONT = "DejaVu Sans"
SHAPES = {
    "tap": ("box", "filled,bold"),
    "transform": ("box", "filled,rounded"),
    "distance": ("ellipse", "filled"),
    "weight": ("hexagon", "filled"),
    "structure": ("box", "filled"),
    "constant": ("box", "filled,rounded"),
}


class DrawingOptions(TypedDict, total=False):
    """The options of a drawing, in each of its forms.

    Attributes:
        aligned: names of the taps whose student side passes a learned aligner.
        title: a line above the drawing.
        calibration: one factor per term, shown at the `weight` nodes.
        tap_notes: by tap name, a line to show at the tap, such as its shape or its aligner's.
        readings: by node text, value and gradient on a probe batch; nodes that are constant or dead there turn grey.
    """

    aligned: Collection[str]
    title: str | None
    calibration: Sequence[float]
    tap_notes: Mapping[str, str] | None
    readings: Mapping[str, Reading] | None


def graph(tree: Tree, **options: Unpack[DrawingOptions]) -> graphviz.Digraph:
    """Builds the drawing of a tree, not yet laid out.

    Args:
        options: see `DrawingOptions`.

    Raises:
        KdzeroError: the tree has too many nodes to be drawn.
    """
    aligned, title = options.get("aligned", ()), options.get("title")
    notes, readings = options.get("tap_notes") or {}, options.get("readings") or {}
    nodes = _inputs_first(tree)
    if len(nodes) > MAXIMUM_NODES:
        raise KdzeroError(
            f"this distiller has {len(nodes)} different nodes, drawings show at most {MAXIMUM_NODES}; "
            "its text form holds all of it"
        )
    drawing = graphviz.Digraph("distiller")
    drawing.attr("graph", rankdir="LR", bgcolor="white", ordering="in", nodesep="0.18", ranksep="0.32", pad="0.1")
    drawing.attr("graph", fontname=FONT, fontsize="13", fontcolor=INK)
    if title:
        drawing.attr("graph", label=graphviz.escape(printable(title, limit=120)), labelloc="t")
    drawing.attr("node", fontname=FONT, fontsize="12", fontcolor=INK, height="0.42", width="0.3", margin="0.1,0.03")
    drawing.attr("edge", fontname=FONT, fontsize="9", fontcolor=INK, color=INK, arrowsize="0.6")
    factors = calibration_by_term(tree, options.get("calibration", ()))
    names: dict[Node, str] = {}
    for node in nodes:
        if node.kind != "constant":
            names[node] = f"n{len(names)}"
            lines = _lines(node, aligned, notes, factors) + _reading_lines(node, readings)
            grey = muted(readings, node)
            _draw(drawing, names[node], node, lines, root=node == tree.root, dashed=node.symbol in aligned, grey=grey)
            _connect(drawing, node, names)
    return drawing


def gv(tree: Tree, **options: Unpack[DrawingOptions]) -> str:
    """Writes the drawing in Graphviz's own language; arguments as for `graph`."""
    return str(graph(tree, **options).source)


def _inputs_first(tree: Tree) -> list[Node]:
    """Lists every distinct node once, behind its inputs, otherwise in the order of the text."""
    done: dict[Node, None] = {}

    def visit(node: Node) -> None:
        if node not in done:
            for child in node.children:
                visit(child)
            done[node] = None

    visit(tree.root)
    return list(done)


def _lines(node: Node, aligned: Collection[str], notes: Mapping[str, str], factors: Mapping[Node, float]) -> list[str]:
    """Lists the lines of a node: its name, its type and its notes."""
    lines = [node.symbol, node.type.__name__]
    if node.operation is not None and node.operation.side != "both":
        lines.append(f"{node.operation.side} only")
    if node.kind == "tap":
        if node.symbol in aligned:
            lines.append("+ learned aligner")
        if node.symbol in notes:
            lines.append(printable(notes[node.symbol], limit=40))
    if node in factors:
        lines.append(f"calibration × {rounded(factors[node])}")
    return lines


def _reading_lines(node: Node, readings: Mapping[str, Reading]) -> list[str]:
    reading = readings.get(node.text)
    if reading is None:
        return []
    state = [] if reading.state == "live" else [reading.state]
    return [f"|x| {rounded(reading.value)}, |∇| {rounded(reading.gradient)}", *state]


def _tooltip(node: Node, lines: Sequence[str]) -> str:
    doc = node.operation.doc.partition("\n")[0] if node.operation is not None else ""
    return "\n".join(filter(None, [printable(node.text, limit=300), printable(doc, limit=300), *lines[2:]]))


def _draw(
    drawing: graphviz.Digraph, name: str, node: Node, lines: Sequence[str], *, root: bool, dashed: bool, grey: bool
) -> None:
    shape, style = SHAPES[node.kind]
    dashed = dashed and node.kind == "tap"
    paint = CONSTANT if grey else colour(node)
    drawing.node(
        name,
        label=_label(lines),
        shape=shape,
        style=f"{style},dashed" if dashed else style,
        fillcolor=paint.fill,
        color=paint.line,
        peripheries="2" if root else "1",
        tooltip=graphviz.escape(_tooltip(node, lines)),
        **{"class": f"kind-{node.kind} type-{paint.name}{' muted' if grey else ''}"},
    )


def _connect(drawing: graphviz.Digraph, node: Node, names: Mapping[Node, str]) -> None:
    """Draws the edges into a node, in the order of its arguments; constants get a small node of their own each."""
    inputs = [child for child in node.children if child.kind != "constant"]
    for position, child in enumerate(node.children):
        if child.kind == "constant":
            source = f"{names[node]}c{position}"
            _draw_constant(drawing, source, child, node)
        else:
            source = names[child]
        options = {}
        if child.type in KNOWLEDGE:
            options["color"] = f"{STUDENT}:invis:{TEACHER}"
            options["class"] = "pair"
        if child.kind != "constant" and len(inputs) > 1:
            options["headlabel"] = str(position + 1)
            options["labeldistance"] = "1.6"
        if child.kind == "constant":
            options["arrowhead"] = "none"
            options["style"] = "dotted"
        drawing.edge(source, names[node], **options)


def _draw_constant(drawing: graphviz.Digraph, name: str, constant: Node, parent: Node) -> None:
    value = constant.value if constant.value is not None else float("nan")
    own = constant.type.sign if issubclass(constant.type, Constant) else ""
    letter = own or ("w" if parent.kind == "structure" else "")
    sign = f"{letter} = " if letter else ""
    shape, style = SHAPES["constant"]
    paint = colour(constant)
    drawing.node(
        name,
        label=_label([f"{sign}{rounded(value)}"], size=10),
        shape=shape,
        style=style,
        fillcolor=paint.fill,
        color=paint.line,
        penwidth="0.6",
        height="0.26",
        margin="0.07,0.02",
        tooltip=graphviz.escape(f"{sign}{constant.text}"),
        **{"class": "kind-constant type-constant"},
    )


def _label(lines: Sequence[str], size: int = 12) -> str:
    """Gives an HTML-like label: the first line large, the others small; escaped as XML."""
    rows = "".join(
        f'<TR><TD><FONT POINT-SIZE="{9 if row else size}">{html.escape(line, quote=True)}</FONT></TD></TR>'
        for row, line in enumerate(lines)
    )
    return f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0">{rows}</TABLE>>'
