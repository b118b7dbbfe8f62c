"""Means, gains and tests, against plain loops and scipy on vectors that are easy to check."""

import math
from typing import Any

import pytest
from scipy.special import stdtr

from kdzero_gp.compare.entries import make_entries
from kdzero_gp.compare.statistics import both, holm, make_rows, paired_test

STAGES = ("stage1", "stage2", "stage3")
ACCURACIES: dict[str, list[float | None]] = {
    "none": [0.60, 0.62, 0.61],
    "kd": [0.64, 0.65, 0.69],
    "at": [0.70, None, 0.61],
    "best": [0.70, 0.71, 0.72],
}


def t_test(pairs: list[tuple[float, float]]) -> float:
    """The two-sided p of Student's t with n - 1 degrees of freedom, from its formula."""
    differences = [a - b for a, b in pairs]
    n = len(differences)
    mean = sum(differences) / n
    variance = sum((d - mean) ** 2 for d in differences) / (n - 1)
    return float(2 * stdtr(n - 1, -abs(mean) / math.sqrt(variance / n)))


@pytest.fixture
def table(result: Any) -> Any:
    texts = ["none", "kd", "at", "best=weight(1, kl(logits, 2))"]
    entries = make_entries(texts, STAGES)
    results = {entry.key: [result(a) for a in ACCURACIES[entry.label]] for entry in entries}
    rows, baseline = make_rows(entries, results, {entries[3].key: 12})
    return {row.label: row for row in rows}, [row.label for row in rows], baseline


def test_rows_come_by_falling_mean(table: Any) -> None:
    rows, order, _ = table
    assert order == ["best", "kd", "at", "none"]
    assert rows["at"].mean == pytest.approx((0.70 + 0.61) / 2)
    assert rows["at"].trained == 2
    assert rows["kd"].std == pytest.approx(math.sqrt((0.02**2 + 0.01**2 + 0.03**2) / 2))


def test_gains_are_over_the_seeds_that_both_have(table: Any) -> None:
    rows, _, _ = table
    assert rows["best"].gain == pytest.approx(0.10)
    assert rows["at"].gain == pytest.approx((0.10 + 0.00) / 2)
    assert rows["none"].gain is None


def test_the_best_baseline_is_hand_designed_and_everyone_is_tested_against_it(table: Any) -> None:
    rows, _, baseline = table
    assert baseline == "kd"
    assert rows["kd"].p_value is None
    expected = {
        name: t_test([(a, b) for a, b in zip(ACCURACIES[name], ACCURACIES["kd"], strict=True) if a is not None])  # type: ignore[misc]
        for name in ("none", "at", "best")
    }
    for name, p in expected.items():
        assert rows[name].p_value == pytest.approx(p), name
    assert (rows["at"].pairs, rows["best"].pairs) == (2, 3)
    smallest, middle, largest = sorted(expected, key=expected.__getitem__)
    assert rows[smallest].p_holm == pytest.approx(min(1, 3 * expected[smallest]))
    assert rows[middle].p_holm == pytest.approx(min(1, max(3 * expected[smallest], 2 * expected[middle])))
    assert rows[largest].p_holm >= rows[middle].p_holm


def test_a_failure_is_a_reason_and_never_a_number(table: Any) -> None:
    rows, _, _ = table
    assert rows["at"].accuracy == (0.70, None, 0.61)
    assert rows["at"].top5 == (0.9, None, 0.9)
    assert list(rows["at"].errors) == [1]
    assert "DivergedError" in rows["at"].errors[1]


def test_what_failed_throughout_is_last_and_no_baseline(result: Any) -> None:
    entries = make_entries(["kd", "at", "none"], STAGES)
    given = {"kd": [None, None], "at": [0.5, 0.6], "none": [0.7, 0.7]}
    rows, baseline = make_rows(entries, {e.key: [result(a) for a in given[e.label]] for e in entries}, {})
    assert ([row.label for row in rows], baseline) == (["none", "at", "kd"], "at")
    assert (rows[2].mean, rows[2].std, rows[2].gain, rows[2].p_value, rows[2].seconds) == (None,) * 5


def test_without_a_method_there_is_nothing_to_test_against(result: Any) -> None:
    entries = make_entries(["none", "weight(1, kl(logits, 4))"], STAGES)
    rows, baseline = make_rows(entries, {e.key: [result(0.5), result(0.6)] for e in entries}, {})
    assert baseline is None
    assert [(row.p_value, row.p_holm, row.pairs) for row in rows] == [(None, None, 0)] * 2


def test_a_test_without_pairs_or_spread_is_undefined() -> None:
    assert paired_test([(0.5, 0.4)]) is None
    assert paired_test([(0.5, 0.4), (0.6, 0.5), (0.3, 0.2)]) is None
    assert paired_test([]) is None
    assert paired_test([(0.5, 0.4), (0.6, 0.4)]) == pytest.approx(t_test([(0.5, 0.4), (0.6, 0.4)]))


def test_pairs_are_those_of_one_seed() -> None:
    assert both([0.1, None, 0.3], [0.4, 0.5, None]) == [(0.1, 0.4)]


def test_holm_on_his_own_kind_of_example() -> None:
    """Of p 0.01, 0.04, 0.03, 0.005 the corrected are 0.03, 0.06, 0.06, 0.02."""
    found = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    assert found == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02})
    assert holm({"a": 0.9, "b": 0.8}) == pytest.approx({"a": 1.0, "b": 1.0})
