"""Which search is ahead over the run seeds, counted by hand."""

from pathlib import Path
from typing import Any

import pytest
from scipy.stats import ttest_rel
from typer.testing import CliRunner

from benchmarks.equal_budget.__main__ import LEAD, app, claims, search_rows
from benchmarks.equal_budget.searches import EVOLUTION, RANDOM, SEARCHES, WITHOUT_JOIN, Found
from benchmarks.harness.result import read_result


def test_differences_are_paired_by_run_seed() -> None:
    reached = {EVOLUTION: (93.0, 95.0, 96.0), WITHOUT_JOIN: (93.0, 94.0, 97.0), RANDOM: (92.5, 95.5, 93.0)}
    proxies = {EVOLUTION: (0.7, 0.6, 0.8), WITHOUT_JOIN: (0.7, 0.7, 0.9), RANDOM: (0.8, 0.9, 0.75)}
    found = {
        seed: {name: Found("a tree", proxies[name][seed], reached[name][seed], 90.0 + seed) for name in SEARCHES}
        for seed in range(3)
    }
    own, without, rival = search_rows(found)
    assert own["test %"] == pytest.approx(94 + 2 / 3)
    assert own["gain over the student alone"] == pytest.approx((3 + 4 + 4) / 3)
    assert (own[LEAD], own["p, test"]) == (None, None)
    assert (without[LEAD], without["evolution ahead in"]) == (0.0, 1)
    assert rival[LEAD] == pytest.approx((0.5 - 0.5 + 3) / 3)
    assert rival["evolution ahead in"] == 2
    assert rival["p, test"] == pytest.approx(ttest_rel(reached[EVOLUTION], reached[RANDOM]).pvalue)
    assert rival["p, proxy"] == pytest.approx(ttest_rel(proxies[EVOLUTION], proxies[RANDOM]).pvalue)
    lead, chance = claims([own, without, rival])
    assert (lead.measured, chance.measured) == (rival[LEAD], rival["p, test"])
    assert lead.holds
    assert not chance.holds


def test_the_script_runs(tmp_path: Path, teacher_cache: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDZERO_GP_CACHE", teacher_cache)
    outcome = CliRunner().invoke(app, ["--quick", "--out", str(tmp_path / "equal_budget.json")])
    assert outcome.exit_code == 0, outcome.output
    result = read_result(tmp_path / "equal_budget.json")
    assert [row["search"] for row in result.part("searches")] == list(SEARCHES)
    winners: Any = result.part("winners")
    assert len(winners) == 2 * len(SEARCHES)
    assert all(0 <= row["test %"] <= 100 and row["tree"].startswith(("weight(", "add(")) for row in winners)
