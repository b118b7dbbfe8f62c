"""The ancestry of a distiller as a graph, one row for each generation."""

from collections.abc import Mapping
from itertools import groupby

import graphviz
import networkx

from kdzero_gp.drawing.diagram import FONT
from kdzero_gp.drawing.palette import INK
from kdzero_gp.drawing.render import render
from kdzero_gp.drawing.svg_text import cleaned_drawing
from kdzero_gp.gallery.chosen import Key, ancestors
from kdzero_gp.gallery.rows import Recorded
from kdzero_gp.untrusted import printable, rounded

MOST_NODES = 300
"""Ancestors that are drawn, the nearest ones; the page lists all of them as text."""


def lineage(latest: Mapping[Key, Recorded], key: Key) -> networkx.DiGraph:
    """Builds the graph of a distiller and its ancestors; edges go from parent to child, nodes have a `generation`."""
    graph = networkx.DiGraph()
    members = [key, *ancestors(latest, [key])][:MOST_NODES]
    for member in sorted(members, key=lambda k: (latest[k][0].generation, k)):
        graph.add_node(member, generation=latest[member][0].generation)
    for arm, number in list(graph):
        for parent in latest[arm, number][0].parents:
            if (arm, parent) in graph:
                graph.add_edge((arm, parent), (arm, number))
    return graph


def lineage_svg(latest: Mapping[Key, Recorded], key: Key) -> str:
    """Draws the graph as an `<svg>` element, oldest generation on top; its nodes have the class `distiller-ARM-NUMBER`.

    Raises:
        KdzeroError: Graphviz is not there.
    """
    graph = lineage(latest, key)
    drawing = graphviz.Digraph("lineage")
    drawing.attr("graph", rankdir="TB", bgcolor="white", nodesep="0.16", ranksep="0.3", pad="0.1", fontname=FONT)
    drawing.attr("node", fontname=FONT, fontsize="11", fontcolor=INK, shape="box", style="filled,rounded")
    drawing.attr("node", height="0.34", width="0.5", margin="0.08,0.03", fillcolor="#eceef1", color="#5b6470")
    drawing.attr("edge", color="#5b6470", arrowsize="0.5")
    by_generation = groupby(graph.nodes(data="generation"), key=lambda node: node[1])
    for _, nodes in by_generation:
        with drawing.subgraph() as row:
            row.attr(rank="same")
            for member, _ in nodes:
                _add(row, member, latest[member], chosen=member == key)
    for parent, child in graph.edges:
        drawing.edge(_name(parent), _name(child))
    spoken = f"Lineage of distiller {key[1]}: {len(graph)} distillers over their generations"
    return cleaned_drawing(render(str(drawing.source), "svg").decode("utf-8"), label=spoken)


def _add(row: graphviz.Digraph, key: Key, recorded: Recorded, *, chosen: bool) -> None:
    proposal, evaluation = recorded
    fitness = "" if evaluation.fitness is None else f"\n{rounded(evaluation.fitness)}"
    about = f"generation {proposal.generation}, {printable(proposal.operator, limit=40)}\n"
    row.node(
        _name(key),
        label=graphviz.escape(f"{key[1]}{fitness}"),
        tooltip=graphviz.escape(about + printable(proposal.tree, limit=300)),
        penwidth="2.2" if chosen else "1",
        **{"class": f"distiller distiller-{_name(key)}{' chosen' if chosen else ''}"},
    )


def _name(key: Key) -> str:
    """Makes a class name of an arm; arms other than the two known ones are called `other`."""
    arm = key[0] if key[0] in ("evolve", "random") else "other"
    return f"{arm}-{key[1]}"
