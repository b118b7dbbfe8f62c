"""How a run shows itself in a notebook cell: its table and the winner's drawing, as HTML that stands alone."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Protocol

from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.drawing.formula import formula_svg
from kdzero_gp.drawing.latex import formula_lines
from kdzero_gp.drawing.render import svg
from kdzero_gp.tasks.kinds import kind_of
from kdzero_gp.tasks.measure import Measure
from kdzero_gp.untrusted import printable


class ResultRow(Protocol):
    """What is shown of a row of the final table; accuracies in 0 … 1."""

    @property
    def name(self) -> str: ...
    @property
    def tree(self) -> str | None: ...
    @property
    def mean(self) -> float | None: ...
    @property
    def std(self) -> float | None: ...
    @property
    def gain(self) -> float | None: ...


def result_html(
    folder: Path, best: Distiller | None, table: Sequence[ResultRow], measure: Measure | None = None
) -> str:
    """A run's result: where it lies, the winner's drawing and formula, and the final table.

    Args:
        measure: what the table's numbers are, by default accuracy.
    """
    parts = [f"<p>{_text(str(folder))}</p>"]
    if best is not None:
        tree, calibration = best.tree.canonical(), best.calibration.tolist()
        parts.append(
            f'<div style="overflow-x: auto">{svg(tree, aligned=tuple(best.aligners), calibration=calibration)}'
        )
        parts.append(f"{formula_svg(formula_lines(tree, calibration), label='Formula') or ''}</div>")
    head = "".join(
        f"<th>{name}</th>" for name in ("distiller", f"test {(measure or kind_of().quality).name}", "gain", "text form")
    )
    parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(map(_row, table))}</tbody></table>")
    return "\n".join(parts)


def _row(row: ResultRow) -> str:
    accuracy = "–" if row.mean is None else f"{100 * row.mean:.2f} ± {100 * (row.std or 0.0):.2f} %"
    gain = "–" if row.gain is None else f"{100 * row.gain:+.2f}"
    text = f"<code>{_text(row.tree)}</code>" if row.tree else "–"
    return f"<tr><th>{_text(row.name)}</th><td>{accuracy}</td><td>{gain}</td><td>{text}</td></tr>"


def _text(text: str) -> str:
    return escape(printable(text, limit=2000), quote=True)
