"""What a search had found after how many steps, counted by hand."""

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.search_cost import app, claims, summary
from benchmarks.search_cost_trace import best_so_far, steps_until
from kdzero_gp.store.record import Evaluation, Proposal

ASKED = Proposal(0, 0, "evolve", "random", (), "a", "a", 0)
DONE = Evaluation("ok", None, 1.0, {}, (2.0,), "f", 10, 0, 0.0, "", None)


def test_the_incumbent_by_the_steps_spent() -> None:
    records = [
        (replace(ASKED, tree="a"), replace(DONE, status="nan", fitness=None, steps=4)),
        (replace(ASKED, tree="b"), replace(DONE, fitness=1.5)),
        (replace(ASKED, tree="c"), replace(DONE, fitness=1.2)),
        (replace(ASKED, tree="d"), replace(DONE, fitness=1.3)),
        (replace(ASKED, tree="d", rung=1), replace(DONE, fitness=1.9, steps=20)),
        (replace(ASKED, tree="e"), replace(DONE, fitness=0.1)),
    ]
    assert [(m.steps, m.tree) for m in best_so_far(records)] == [(14, "b"), (24, "c"), (34, "c"), (54, "d"), (64, "d")]
    assert [m.steps for m in best_so_far(records, screening=6)] == [26, 42, 58, 78, 94]


def test_steps_until_as_good() -> None:
    points = [(10, 2.0), (20, 1.5), (30, 1.2)]
    assert steps_until(points, 1.5) == 20
    assert steps_until(points, 2.5) == 10
    assert steps_until(points, 1.1) is None


def test_a_search_that_never_gets_there_counts_as_the_whole() -> None:
    results = {
        ("plain", 0): [(50, 1.9), (100, 1.5)],
        ("raced", 0): [(10, 1.6), (20, 1.4)],
        ("plain", 1): [(50, 1.9), (100, 1.0)],
        ("raced", 1): [(10, 1.6), (20, 1.4)],
        ("plain", 2): [(50, 1.9), (100, 1.7)],
        ("raced", 2): [(10, 1.6), (20, 1.4)],
    }
    rows = summary(results, range(3))
    assert [row["share of plain"] for row in rows] == [0.2, None, 0.1]
    share, gain = claims(rows)
    assert share.measured == 0.2
    assert share.holds
    assert gain.measured == pytest.approx((0.1 - 0.4 + 0.3) / 3)


def test_the_script_runs(tmp_path: Path) -> None:
    out = tmp_path / "search_cost.json"
    result = CliRunner().invoke(app, ["--quick", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "steps until as good" in out.read_text()
