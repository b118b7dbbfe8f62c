"""The display of a run in a notebook: its table and the winner's drawing, as HTML that stands alone."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.drawing.formula import formula_svg
from kdzero_gp.drawing.latex import formula_lines
from kdzero_gp.drawing.render import svg
from kdzero_gp.evolve.columns import Column, text_columns
from kdzero_gp.evolve.final import Row
from kdzero_gp.tasks.kind import TaskKind
from kdzero_gp.tasks.kinds import kind_of
from kdzero_gp.untrusted import printable


def result_html(folder: Path, best: Distiller | None, table: Sequence[Row], kind: TaskKind | None = None) -> str:
    """Renders a run's result: its folder, the winner's drawing and formula, and the final table.

    Args:
        kind: of the task, by default classification.
    """
    kind = kind or kind_of()
    parts = [f"<p>{_text(str(folder))}</p>"]
    if best is not None:
        tree, calibration = best.tree.canonical(), best.calibration.tolist()
        parts.append(
            f'<div style="overflow-x: auto">{svg(tree, aligned=tuple(best.aligners), calibration=calibration)}'
        )
        parts.append(f"{formula_svg(formula_lines(tree, calibration), label='Formula') or ''}</div>")
    head = "".join(f"<th>{_text(column.heading(kind, table))}</th>" for column in text_columns())
    rows = "".join(f"<tr>{''.join(_cell(column, row, kind) for column in text_columns())}</tr>" for row in table)
    parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>")
    return "\n".join(parts)


def _cell(column: Column, row: Row, kind: TaskKind) -> str:
    text = _text(column.cell(row, kind) or "–")
    return f'<td style="text-align: {column.align}">{f"<code>{text}</code>" if column.form == "code" else text}</td>'


def _text(text: str) -> str:
    return escape(printable(text, limit=2000), quote=True)
