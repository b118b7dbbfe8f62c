"""The proxy benchmark: its correlation's sign, its settings, its table, and a small run."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks import proxy_rank
from benchmarks.proxy_fitness import BY_RANK, ONE_BY_ONE, correlations, values
from benchmarks.proxy_settings import Proxy
from benchmarks.result import read_result
from kdzero_gp.tasks.recipe import Recipe


def parts(ce: float, **changes: float) -> dict[str, float]:
    return {"ce": ce, "tempered_ce": ce, "sharpness_gap": 1.0, "cka_gap": 0.5, "accuracy": 1 - ce} | changes


def test_the_correlation_is_positive_where_fitness_and_accuracy_agree() -> None:
    run = [parts(0.4), parts(0.1), parts(0.2), parts(0.3)]
    agreeing, opposed = (0.6, 0.9, 0.8, 0.7), (0.9, 0.6, 0.7, 0.8)
    for name in ("cross-entropy", "error", "tempered cross-entropy", "--fitness eq2", "tempered CE + CKA gap, by rank"):
        assert correlations(run, agreeing)[name] == pytest.approx(1)
        assert correlations(run, opposed)[name] == pytest.approx(-1)


def test_a_diverged_training_ranks_last() -> None:
    table = correlations([parts(0.4), None, parts(0.1)], (0.8, 0.1, 0.9))
    assert table["cross-entropy"] == pytest.approx(1)
    assert set(table) == {*ONE_BY_ONE, *BY_RANK}


def test_ranks_are_added_up() -> None:
    run = [parts(0.4, cka_gap=0.3), parts(0.1, cka_gap=0.2), parts(0.2, cka_gap=0.1)]
    assert values(run)["tempered CE + CKA gap, by rank"] == [6, 3, 3]


def test_without_the_student_alone_nothing_is_measured() -> None:
    with pytest.raises(RuntimeError, match="the student alone diverged"):
        values([None, parts(0.1)])


def test_the_settings_cut_or_shorten_the_full_recipe() -> None:
    full = Recipe(epochs=16, batch_size=10, lr=0.1)
    assert Proxy("a", (5,), "prefix").recipe(full, 100) == full
    short = Proxy("b", (25,)).recipe(full, 100)
    assert (short.epochs, short.restarts) == (3, (25,))
    assert short.learning_rates(30)[:25] == full.learning_rates(25)
    raced = Proxy("c", (3, 9, 27), "restarts").recipe(full, 100).learning_rates(30)
    assert raced[:27] == [*full.learning_rates(3), *full.learning_rates(6), *full.learning_rates(18)]


def test_the_summary_has_a_column_for_each_rung() -> None:
    rows = [
        {"part": "by seed", "fitness": f, "proxy": "race", "student steps": s, "Spearman, mean over seeds": s / 10}
        for f in ("a", "b")
        for s in (1, 2)
    ]
    assert proxy_rank.summary([{"part": "ceiling"}, *rows]) == [
        {"part": "correlations", "fitness": f, "race @ 1": 0.1, "race @ 2": 0.2} for f in ("a", "b")
    ]


def test_a_small_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDZERO_GP_CACHE", str(tmp_path / "cache"))
    out = tmp_path / "proxy_rank.json"
    done = CliRunner().invoke(proxy_rank.app, ["--quick", "--out", str(out)])
    assert done.exit_code == 0, done.output
    result = read_result(out)
    names = {row["proxy"] for row in result.part("by seed")}
    assert names == {"default", "warm"}
    assert all(-1 <= float(str(row["Spearman, mean over seeds"])) <= 1 for row in result.part("by seed"))
