"""The table over run seeds, from runs made up for the purpose."""

from collections import Counter

import pytest
from scipy.stats import ttest_rel

from benchmarks.digits.table import FinishedRun, accuracy_rows, claims, funnel_rows, gaps, paired_test


def made_up(seed: int, evolved: list[float | None], kd: list[float | None], seconds: float = 100.0) -> FinishedRun:
    return FinishedRun(
        seed=seed,
        accuracy={"evolved best": evolved, "KD": kd, "student alone": [80.0] * len(kd)},
        formula={"evolved best": "weight(1, l2(stage1))"},
        fitness={"evolved best": 0.5},
        funnel={"evolve": Counter(proposed=8, duplicate=2, trained=6, no_gradient=2), "random": Counter()},
        teacher=99.0,
        seconds=seconds,
    )


RUNS = [
    made_up(0, [90.0, 92.0], [85.0, 87.0]),
    made_up(1, [88.0, None], [86.0, 86.0], seconds=400.0),
    made_up(2, [91.0, 93.0], [92.0, 92.0]),
]


def test_each_run_counts_by_its_mean_and_failures_are_shown() -> None:
    row = next(row for row in accuracy_rows(RUNS) if row["distiller"] == "evolved best")
    assert row["mean of each run"] == [91.0, 88.0, 92.0]
    assert row["test accuracy %"] == pytest.approx((91 + 88 + 92) / 3)
    assert row["all trainings %"] == pytest.approx((90 + 92 + 88 + 91 + 93) / 5)
    assert (row["trainings"], row["failed"], row["runs"]) == (6, 1, 3)
    assert row["over KD, points"] == pytest.approx((5 + 2 + 0) / 3)


def test_contender_that_was_not_run_has_no_numbers() -> None:
    row = next(row for row in accuracy_rows(RUNS) if row["distiller"] == "random search best")
    assert row["test accuracy %"] is None
    assert row["runs"] == row["trainings"] == 0
    missing = [claim for claim in claims(RUNS) if "random search" in claim.what]
    assert missing
    assert all(claim.measured is None and claim.holds is None for claim in missing)


def test_paired_test_is_scipys_over_the_runs_means() -> None:
    expected = float(ttest_rel([91.0, 88.0, 92.0], [86.0, 86.0, 92.0]).pvalue)
    assert gaps(RUNS, "evolved best", "KD") == [5.0, 2.0, 0.0]
    assert paired_test(RUNS, "evolved best", "KD") == pytest.approx(expected)
    assert paired_test(RUNS[:1], "evolved best", "KD") is None
    assert paired_test([RUNS[0], RUNS[0]], "evolved best", "KD") is None


def test_longest_run_is_judged() -> None:
    longest = claims(RUNS)[-1]
    assert (longest.measured, longest.holds) == (400.0, False)


def test_funnel_shares_are_of_all_drawn() -> None:
    rows = {(row["arm"], row["end"]): (row["trees"], row["%"]) for row in funnel_rows(RUNS)}
    assert rows == {
        ("evolve", "duplicate"): (6, 20.0),
        ("evolve", "no gradient"): (6, 20.0),
        ("evolve", "trained"): (18, 60.0),
    }
