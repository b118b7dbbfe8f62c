"""What a notebook shows of trees, distillers and results."""

from pathlib import Path

from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.evolve.final import Row
from kdzero_gp.gallery.notebook import result_html
from kdzero_gp.grammar.parse import parse
from kdzero_gp.run.result import SearchResult
from tests.gallery.sample_run import HOSTILE


def test_trees_and_distillers_draw_themselves() -> None:
    text = "weight(2, kl(logits, 4))"
    assert parse(text)._repr_svg_().startswith("<svg")
    drawn = Distiller(text, calibration=[0.5])._repr_svg_()
    assert "calibration × 0.5" in drawn


def test_a_result_shows_winner_and_table_and_escapes_text(tmp_path: Path) -> None:
    row = Row(HOSTILE, "evolved", HOSTILE, mean=0.9512, std=0.01, gain=-0.0123)
    best = Distiller("weight(2, kl(logits, 4))", calibration=[0.5])
    result = SearchResult(tmp_path / "<b>", best, [], [row])
    text = result._repr_html_()
    assert "<script" not in text
    assert "<img" not in text
    assert "95.12 ± 1.00" in text
    assert "-1.23" in text
    assert text.count("<svg") == 2
    assert "<svg" not in result_html(tmp_path, None, [row])
