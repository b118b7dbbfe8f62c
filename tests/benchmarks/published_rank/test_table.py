"""Correlations with the published order, and the table of them."""

import pytest

from benchmarks.published_rank.settings import FULL_STEPS, PROXIES, PUBLISHED
from benchmarks.published_rank.table import Outcome, by_fitness, claims, correlation_rows, method_rows

WORSE = {"accuracy": 0.1, "ce": 3.0, "tempered_ce": 2.9, "sharpness_gap": 1.0, "cka_gap": 0.5}
BETTER = {"accuracy": 0.2, "ce": 2.0, "tempered_ce": 1.9, "sharpness_gap": 5.0, "cka_gap": 0.4}


def agreeing() -> dict[str, dict[str, float]]:
    """Parts that improve with the published accuracy, but for the sharpness gap."""
    order = sorted(PUBLISHED, key=PUBLISHED.__getitem__)
    share = {method: place / len(order) for place, method in enumerate(order)}
    return {m: {name: WORSE[name] + share[m] * (BETTER[name] - WORSE[name]) for name in WORSE} for m in PUBLISHED}


def test_a_correlation_is_positive_where_fitness_and_published_accuracy_agree() -> None:
    each, together = by_fitness([agreeing()])
    for name in ("error", "cross-entropy", "tempered cross-entropy", "CKA gap", "--fitness relative"):
        assert each[name] == pytest.approx([1]), name
    assert each["sharpness gap"] == each["--fitness eq2"] == pytest.approx([-1])
    assert together == pytest.approx({name: value for name, (value,) in each.items()})
    assert by_fitness([]) == ({}, {})


def test_several_seeds_speak_together_through_their_mean() -> None:
    good, bad = agreeing(), agreeing()
    bad["none"], bad["fitnet"] = bad["fitnet"], bad["none"]
    bad["none"] = bad["none"] | {"ce": bad["none"]["ce"] + 1e-3}  # so that the mean order is the good one
    each, together = by_fitness([good, bad])
    assert each["cross-entropy"][0] == together["cross-entropy"] == pytest.approx(1)
    assert each["cross-entropy"][1] < 1


def test_a_diverged_training_ranks_last() -> None:
    each, _ = by_fitness([agreeing() | {"none": WORSE, "fitnet": None}])
    swapped = [1, 0, *range(2, len(PUBLISHED))]  # fitnet behind the student alone, which was behind it
    expected = 1 - 6 * sum((a - b) ** 2 for a, b in enumerate(swapped)) / (len(swapped) * (len(swapped) ** 2 - 1))
    assert each["cross-entropy"] == pytest.approx([expected])


def test_the_table_has_every_setting_and_says_which_were_not_measured() -> None:
    measured, missing = PROXIES[0], PROXIES[1]
    found = {(measured.name, 6): {0: Outcome(agreeing(), ("cpu",)), 1: Outcome(agreeing(), ("cuda",))}}
    rows = correlation_rows([measured, missing], found)
    table = [row for row in rows if row["part"] == "correlations"]
    settings = [row for row in rows if row["part"] == "settings"]
    assert [(row["setting"], row["epochs"]) for row in table] == [("cold-5k-6", "6 of 6")]
    assert [(row["setting"], row["epochs"]) for row in settings] == [
        ("cold-5k-6", "2 of 6"),
        ("cold-5k-6", "6 of 6"),
        ("prefix-5k-6", "2 of 60"),
        ("prefix-5k-6", "6 of 60"),
    ]
    assert [row["seeds"] for row in settings] == [0, 2, 0, 0]
    assert [row["device"] for row in settings] == ["not measured", "cpu, cuda", "not measured", "not measured"]
    assert [row["cross-entropy"] for row in table] == [1.0]
    assert settings[1]["student steps"] == 468
    assert table[0]["share of the full schedule %"] == pytest.approx(100 * 468 / FULL_STEPS)
    assert {row["setting"] for row in rows if row["part"] == "by seed"} == {measured.name}
    assert [row["published %"] for row in method_rows([measured, missing], found)] == list(PUBLISHED.values())
    default, best = claims(rows)
    assert (default.measured, default.holds) == (1.0, True)
    assert "cold-5k-6, epoch 6 of 6" in best.what
    assert [claim.measured for claim in claims(correlation_rows([missing], {}))] == [None, None]
