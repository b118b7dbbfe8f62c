"""One distiller as the gallery draws it: drawing, LaTeX, file and source, or the reason why there is none."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.distiller.shapes import Shapes, alignment_of
from kdzero_gp.drawing.latex import latex
from kdzero_gp.drawing.reading import Reading
from kdzero_gp.drawing.render import svg
from kdzero_gp.errors import KdzeroError
from kdzero_gp.export.distiller_file import distiller_json
from kdzero_gp.export.module import standalone_source
from kdzero_gp.gallery.rows import Recorded
from kdzero_gp.grammar.operation import Operation
from kdzero_gp.grammar.parse import parse
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.untrusted import printable


@dataclass(frozen=True)
class Card:
    """What a card holds beside its row in the table.

    Attributes:
        drawing: SVG of our own making, or None.
        latex: the formula's LaTeX, or None where the text cannot be read.
        file: content of a `best.json` with this distiller.
        python: the stand-alone module, or None where it was not asked for.
        aligned: taps whose student side passes a learned aligner.
        readings: whether the drawing shows values and gradients of a probe batch.
        unread: why it does not, where they were asked for.
        problem: why something is missing.
    """

    drawing: str | None = None
    latex: str | None = None
    file: str | None = None
    python: str | None = None
    aligned: tuple[str, ...] = ()
    readings: bool = False
    unread: str | None = None
    problem: str | None = None

    def data(self) -> dict[str, object]:
        """Makes the JSON value of the card, without missing fields."""
        return {name: value for name, value in asdict(self).items() if value}


def make_card(
    recorded: Recorded,
    *,
    pair: tuple[str | None, str | None] = (None, None),
    shapes: Shapes | None = None,
    registry: Mapping[str, Operation] | None = None,
    readings: Mapping[str, Reading] | None = None,
    unread: str | None = None,
    python: bool = False,
) -> Card:
    """Draws a distiller; a text that cannot be read, or a tree that cannot be drawn, becomes a card that says so.

    Args:
        pair: names of teacher and student.
        shapes: of the taps of student and teacher, which tell where the tree needs an aligner.
        readings: by node text, what a probe batch showed there.
        unread: why there are none.
        python: whether the card carries the stand-alone source.
    """
    proposal, evaluation = recorded
    try:
        # the canonical form is what was computed, and the order of the calibration's terms is its order
        tree = parse(proposal.tree, registry=registry).canonical()
        aligned = alignment_of(tree.root, *shapes).taps if shapes and covers(shapes, tree) else ()
        source = latex(tree, evaluation.calibration)
        drawing = svg(tree, aligned=aligned, calibration=evaluation.calibration, readings=readings)
    except KdzeroError as error:
        return Card(problem=printable(str(error), limit=2000))
    card = Card(drawing=drawing, latex=source, aligned=aligned, readings=bool(readings), unread=unread)
    try:
        distiller = Distiller(tree, calibration=evaluation.calibration or None, seed=evaluation.seed)
        teacher, student = pair
        numbers = {name: value for name, value in evaluation.parts.items() if abs(value) < float("inf")}
        file = distiller_json(distiller, teacher=teacher, student=student, fitness=evaluation.fitness, parts=numbers)
        code = standalone_source(distiller) if python else None
    except KdzeroError as error:
        return Card(**(asdict(card) | {"problem": printable(str(error), limit=2000)}))
    return Card(**(asdict(card) | {"file": file, "python": code}))


def covers(shapes: Shapes, tree: Tree) -> bool:
    """Tells whether both sides' shapes are known for every tap of a tree."""
    return all(tap in side for tap in tree.root.taps() for side in shapes)
