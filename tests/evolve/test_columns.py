"""The columns of the final table: one declared in this file alone stands in console, page and notebook."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from kdzero_gp.evolve.columns import COLUMNS, column
from kdzero_gp.evolve.final import Row
from kdzero_gp.gallery.final_table import column_data, final_table, row_data
from kdzero_gp.gallery.notebook import result_html
from kdzero_gp.run.tables import result_table
from kdzero_gp.tasks.kind import TaskKind
from kdzero_gp.tasks.kinds import kind_of

ROW = Row("evolved 1", "evolved", "weight(1, l2(pool))", (0.9, 0.94, None), 0.92, 0.03, -0.01, 0.25, 1.5, errors=("x",))
ALONE = Row("student alone", "alone")
KIND = kind_of()


@pytest.fixture
def letters() -> Iterator[None]:
    with COLUMNS.restored():

        @column("letters", unit="[a-z]", align="right")
        def letters(row: Row, kind: TaskKind) -> str | None:
            return None if row.tree is None else str(sum(map(str.isalpha, row.tree)))

        yield


def printed(*rows: Row) -> str:
    console = Console(file=io.StringIO(), width=200, color_system=None)
    console.print(result_table(rows, 3))
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_the_cells_of_a_row_and_of_an_empty_one() -> None:
    cells = {key: each.cell(ROW, KIND) for key, each in COLUMNS.items()}
    assert cells == {
        "distiller": "evolved 1 (1 of 3 failed)",
        "accuracy": "92.00 ± 3.00",
        "gain": "-1.00",
        "p_value": "0.250",
        "fitness": "1.5000",
        "seeds": "90.00, 94.00",
        "formula": "weight(1, l2(pool))",
    }
    empty = {key: each.cell(ALONE, KIND) for key, each in COLUMNS.items()}
    assert empty == dict.fromkeys(cells) | {
        "distiller": "student alone",
        "seeds": "",
        "formula": "cross-entropy alone",
    }


@pytest.mark.usefixtures("letters")
def test_a_column_of_this_file_stands_everywhere(tmp_path: Path) -> None:
    text = printed(ROW, ALONE)
    assert "letters [a-z]" in text, "brackets are no markup"
    assert " 11 " in text
    html = result_html(tmp_path, None, [ROW, ALONE])
    assert "<th>letters [a-z]</th>" in html
    assert '<td style="text-align: right">11</td>' in html
    assert column_data(KIND)[-1] == {"key": "letters", "heading": "letters [a-z]", "align": "right", "form": "text"}
    assert [row_data(row, KIND)["cells"]["letters"] for row in (ROW, ALONE)] == ["11", None]


def test_a_stored_row_has_the_cells_of_the_row_it_was() -> None:
    stored = {
        "name": ROW.name,
        "kind": ROW.kind,
        "tree": ROW.tree,
        "accuracy": list(ROW.accuracy),
        "mean": ROW.mean,
        "std": ROW.std,
        "gain": ROW.gain,
        "p_value": ROW.p_value,
        "fitness": ROW.fitness,
        "errors": list(ROW.errors),
    }
    table = final_table({"rows": [stored]})
    assert table is not None
    assert table.rows == (ROW,)
    data = row_data(table.rows[0], KIND)
    assert data["cells"] == {key: each.cell(ROW, KIND) for key, each in COLUMNS.items()}
    assert (data["mean"], data["accuracy"]) == (92.0, [90.0, 94.0]), "what is drawn is in per cent"


def test_drawings_are_left_out_of_text() -> None:
    assert "each seed" not in printed(ROW)
    assert any(each["form"] == "seeds" for each in column_data(KIND))


def test_headings_and_words_are_those_of_the_kind_of_task() -> None:
    kind = kind_of("multilabel")
    headings = [each.heading(kind) for each in COLUMNS.values()]
    assert headings[1] == kind.quality.column
    assert headings[3] == f"p vs {kind.baseline.upper()}"
    assert COLUMNS["formula"].cell(ALONE, kind) == f"{kind.loss_title} alone"
    assert [each.heading(KIND) for each in COLUMNS.values()][:4] == ["distiller", "accuracy %", "gain", "p vs KD"]
