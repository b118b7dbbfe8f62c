"""`python -m kdzero_gp.browse`: writes the page where it says, draws what it is asked to, and names what is wrong."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from kdzero_gp.browse.__main__ import app
from kdzero_gp.errors import EXIT_CODE
from kdzero_gp.store import Evaluation, Proposal, RunStore
from tests.gallery.page_cards import cards_of, page_data

TREE = "weight(1, l1(pool))"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    with RunStore.create(folder, {"pop": 4}) as store:
        for number in range(20):
            text = f"weight({number + 1}, l1(pool))"
            proposal = Proposal(number, 0, "evolve", "random", (), text, text, 0)
            store.record(proposal, Evaluation("ok", None, 1.0 + number, {}, (1.0,), None, 1, 0, 0.1, "h", None))
    return folder


def cards(path: Path) -> list[str]:
    return list(cards_of(page_data(path)["runs"][0]))


def test_the_page_lies_in_the_run_or_where_one_says(run: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [str(run), "--no-open"])
    assert (result.exit_code, result.output) == (0, f"gallery: {run / 'gallery' / 'index.html'}\n")
    result = CliRunner().invoke(app, [str(run), "--no-open", "--out", str(tmp_path / "there")])
    assert result.exit_code == 0
    assert "evolve/0" in cards(tmp_path / "there" / "index.html")


def test_all_distillers_are_drawn_or_as_many_as_one_says(run: Path) -> None:
    page = run / "gallery" / "index.html"
    CliRunner().invoke(app, [str(run), "--no-open"])
    assert len(cards(page)) == 20
    CliRunner().invoke(app, [str(run), "--no-open", "--draw-most", "3"])
    assert cards(page) == ["evolve/0", "evolve/1", "evolve/2"]
    CliRunner().invoke(app, [str(run), "--no-open", "--draw-most", "3", "--draw", "evolve/19"])
    assert "evolve/19" in cards(page)


def test_what_is_wrong_is_said(run: Path, tmp_path: Path) -> None:
    for arguments, words in (
        ([str(tmp_path / "none")], "run.sqlite"),
        ([str(run), "--draw", "best"], "names no distiller"),
        ([str(run), "--primitives", str(tmp_path / "none.py")], "none.py"),
        ([str(run), "--teacher-weights", "t.pt"], "--teacher-weights t.pt is of use for --probe alone"),
    ):
        result = CliRunner().invoke(app, [*arguments, "--no-open"])
        assert result.exit_code == EXIT_CODE
        assert result.output.startswith("error: ")
        assert words in result.output


def test_primitives_named_by_a_run_are_not_loaded(tmp_path: Path) -> None:
    trap, sprung = tmp_path / "trap.py", tmp_path / "sprung"
    trap.write_text(f"open({str(sprung)!r}, 'w')\n", encoding="utf-8")
    with RunStore.create(tmp_path / "run", {"primitives": [str(trap)]}):
        pass
    assert CliRunner().invoke(app, [str(tmp_path / "run"), "--no-open"]).exit_code == 0
    assert not sprung.exists()
