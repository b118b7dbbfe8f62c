"""Which arm is ahead over the run seeds, counted by hand, and that a run goes on from what is stored."""

from pathlib import Path
from typing import Any

import pytest
from scipy.stats import ttest_rel
from typer.testing import CliRunner

from benchmarks.harness.result import read_result
from benchmarks.rivals import __main__ as script
from benchmarks.rivals.__main__ import LEAD, app, arm_rows, claims
from benchmarks.rivals.arms import ALONE, ARMS, EVOLUTION, RANDOM, TUNED, Winner

SMALL = "glyphs:classes=3,train=66,val=9,test=9,teacher=66,side=8"


def test_differences_are_paired_by_run_seed() -> None:
    reached = {ALONE: (50, 52, 51), EVOLUTION: (80.0, 81.0, 83.0), RANDOM: (79.0, 81.5, 80.0), TUNED: (81.0, 80.0, 80)}
    won = {
        seed: {name: Winner("a tree", 0.5, 10, float(values[seed])) for name, values in reached.items()}
        for seed in range(3)
    }
    won[0]["kd"] = Winner("weight(0.9, kl(logits, 4))", None, 0, 75.0)
    rows: dict[str, dict[str, Any]] = {str(row["arm"]): dict(row) for row in arm_rows(won)}
    assert rows[EVOLUTION]["test %"] == pytest.approx(244 / 3)
    assert rows[EVOLUTION][LEAD] is None
    assert rows[RANDOM][LEAD] == pytest.approx((1 - 0.5 + 3) / 3)
    assert rows[RANDOM]["evolution ahead in"] == 2
    assert rows[RANDOM]["p"] == pytest.approx(ttest_rel(reached[EVOLUTION], reached[RANDOM]).pvalue)
    assert (rows["kd"]["part"], rows["kd"]["run seeds"], rows["kd"][LEAD]) == ("published", 1, None)
    lead, _, tuned_lead, _ = claims(list(rows.values()))
    assert (lead.measured, lead.holds) == (rows[RANDOM][LEAD], True)
    assert tuned_lead.measured == pytest.approx((-1 + 1 + 3) / 3)


def test_the_script_runs_and_goes_on(tmp_path: Path, teacher_cache: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDZERO_GP_CACHE", teacher_cache)
    monkeypatch.setenv("KDZERO_GP_DATA", str(tmp_path))
    path = tmp_path / "rivals.json"
    call = ["--quick", "--data", SMALL, "--teacher", "cnn4", "--student", "cnn2", "--out", str(path), "--seeds"]
    outcome = CliRunner().invoke(app, [*call, "1"])
    assert outcome.exit_code == 0, outcome.output
    winners: Any = read_result(path).part("winners")
    assert [row["arm"] for row in winners][:5] == [ALONE, *ARMS]
    assert {"kd", "dist"} < {row["arm"] for row in winners}
    assert len({row["steps"] for row in winners if row["arm"] in ARMS}) == 1
    assert all(0 <= row["accuracy"] <= 100 for row in winners)

    seeds: list[int] = []
    monkeypatch.setattr(script, "one_seed", lambda seed, run, with_published: seeds.append(seed) or _winners(winners))
    outcome = CliRunner().invoke(app, [*call, "2"])
    assert outcome.exit_code == 0, outcome.output
    assert seeds == [1]
    later: Any = read_result(path).part("winners")
    assert [row for row in later if row["seed"] == 0] == winners


def _winners(rows: Any) -> dict[str, Winner]:
    return {
        row["arm"]: Winner(row["tree"], row["proxy"], row["steps"], row["accuracy"])
        for row in rows
        if row["arm"] in (ALONE, *ARMS)
    }
