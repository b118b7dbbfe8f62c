"""One distiller as the gallery shows it: its drawing and formula, or the reason why there is none."""

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from kdzero_gp.distiller.shapes import Shapes, aligned_arguments
from kdzero_gp.errors import KdzeroError
from kdzero_gp.gallery.formula import formula_svg
from kdzero_gp.gallery.latex import formula_lines, latex, operations
from kdzero_gp.gallery.plain_text import rounded
from kdzero_gp.gallery.render import svg
from kdzero_gp.grammar.operation import Operation
from kdzero_gp.grammar.parse import parse
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.store import Evaluation, Proposal


@dataclass(frozen=True)
class Card:
    """What a card holds.

    Attributes:
        drawing, formula: SVG of our own making, or None.
        latex: the formula's LaTeX, or None where the text cannot be read.
        problem: why a drawing is missing.
        parts, calibration: numbers as they are shown.
        operations: the operations the tree uses.
    """

    proposal: Proposal
    evaluation: Evaluation
    drawing: Markup | None
    formula: Markup | None
    latex: str | None
    problem: str | None
    parts: tuple[tuple[str, str], ...]
    calibration: tuple[str, ...]
    operations: tuple[Operation, ...]


def make_card(
    proposal: Proposal,
    evaluation: Evaluation,
    *,
    shapes: Shapes | None = None,
    registry: Mapping[str, Operation] | None = None,
) -> Card:
    """Draws a distiller; a text that cannot be read, or a tree that cannot be drawn, becomes a card that says so.

    Args:
        shapes: of the taps of student and teacher, which tell where the tree needs an aligner.
    """
    drawing = formula = source = problem = None
    used: list[Operation] = []
    try:
        # the canonical form is what was computed, and the order of the calibration's terms is its order
        tree = parse(proposal.tree, registry=registry).canonical()
        used = operations(tree)
        source = latex(tree, evaluation.calibration)
        outline = formula_svg(formula_lines(tree, evaluation.calibration), label="The distiller as a formula")
        formula = None if outline is None else Markup(outline)
        aligned = aligned_arguments(tree.root, *shapes)[1] if shapes and covers(shapes, tree) else ()
        drawing = Markup(svg(tree, aligned=aligned, calibration=evaluation.calibration))
    except KdzeroError as error:
        problem = str(error)
    return Card(
        proposal=proposal,
        evaluation=evaluation,
        drawing=drawing,
        formula=formula,
        latex=source,
        problem=problem,
        parts=tuple((name, rounded_part(value)) for name, value in evaluation.parts.items()),
        calibration=tuple(rounded(factor) for factor in evaluation.calibration),
        operations=tuple(used),
    )


def covers(shapes: Shapes, tree: Tree) -> bool:
    """Whether both sides' shapes are known for every tap of a tree."""
    return all(tap in side for tap in tree.root.taps() for side in shapes)


def rounded_part(value: float) -> str:
    """A part of the fitness, to four decimal places where that says something."""
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e4 else rounded(value)
