"""Fitnesses of cheap trainings, and the sign of their correlation."""

import pytest

from benchmarks.proxy_rank.fitness import BY_RANK, ONE_BY_ONE, correlations, values


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
