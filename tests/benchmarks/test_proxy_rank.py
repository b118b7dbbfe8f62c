"""The proxy benchmark: its correlation's sign, its table, and a small run."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks import proxy_rank
from benchmarks.result import read_result


def test_the_correlation_is_positive_where_fitness_and_accuracy_agree() -> None:
    run = [{"ce": 0.4}, {"ce": 0.1}, {"ce": 0.2}, {"ce": 0.3}]
    agreeing, opposed = (0.6, 0.9, 0.8, 0.7), (0.9, 0.6, 0.7, 0.8)
    assert proxy_rank.correlation(run, agreeing, lambda own, alone: own["ce"]) == pytest.approx(1)
    assert proxy_rank.correlation(run, opposed, lambda own, alone: own["ce"]) == pytest.approx(-1)


def test_a_diverged_training_ranks_last() -> None:
    run = [{"ce": 0.4}, None, {"ce": 0.1}]
    assert proxy_rank.correlation(run, (0.8, 0.1, 0.9), lambda own, alone: own["ce"]) == pytest.approx(1)


def test_the_summary_has_a_column_for_each_length() -> None:
    rows = [
        {"part": "by seed", "fitness": f, "proxy epochs": e, "Spearman, mean over seeds": e / 10}
        for f in ("a", "b")
        for e in (1, 2)
    ]
    assert proxy_rank.summary(rows) == [
        {"part": "correlations", "fitness": f, "1 epochs": 0.1, "2 epochs": 0.2} for f in ("a", "b")
    ]


def test_a_small_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDZERO_GP_CACHE", str(tmp_path / "cache"))
    out = tmp_path / "proxy_rank.json"
    done = CliRunner().invoke(proxy_rank.app, ["--quick", "--out", str(out)])
    assert done.exit_code == 0, done.output
    result = read_result(out)
    assert len(result.part("by seed")) == 2 * len(proxy_rank.fitness_functions())
    assert all(-1 <= float(str(row["Spearman, mean over seeds"])) <= 1 for row in result.part("by seed"))
