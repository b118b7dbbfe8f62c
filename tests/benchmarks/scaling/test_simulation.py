"""The simulation against cases worked out by hand."""

import pytest

from benchmarks.scaling.simulation import FEWEST, GENERATIONS, Costs, busy_share

FREE = Costs(screenings=(0.0,), trainings=(1.0,), passed=1.0, coordination=0.0, deaths=0.0, restart=0.0)


def costs(**changes: object) -> Costs:
    return Costs(**(vars(FREE) | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["steady", "generational"])
@pytest.mark.parametrize("workers", [1, 10, 50])
def test_equal_jobs_keep_all_workers_busy(mode: str, workers: int) -> None:
    assert busy_share(mode, workers, FREE, 0) == pytest.approx(1)  # type: ignore[arg-type]


def test_a_generation_waits_for_its_last_candidate() -> None:
    """100 candidates on 30 workers take 4 seconds of 30, and the last generation counts until its last one begins."""
    assert FEWEST // GENERATIONS == 100
    assert busy_share("generational", 30, FREE, 0) == pytest.approx((3 * 100 + 90) / (30 * (3 * 4 + 3)))
    assert busy_share("steady", 30, FREE, 0) == pytest.approx(1)


def test_a_coordinator_that_is_too_slow_bounds_the_rate() -> None:
    """Two jobs of 0.05 s of coordination for each candidate: ten candidates a second, so ten workers busy."""
    slow = costs(coordination=0.05)
    assert busy_share("steady", 1, slow, 0) == pytest.approx(1 / 1.1, rel=0.01)
    assert busy_share("steady", 40, slow, 0) == pytest.approx(10 / 40, rel=0.08)


def test_unequal_jobs_cost_generations_and_not_a_steady_search() -> None:
    unequal = costs(trainings=(0.1, 0.1, 0.1, 10.0))
    assert busy_share("steady", 50, unequal, 0) > 0.99
    assert busy_share("generational", 50, unequal, 0) < 0.75


def test_screenings_are_work_and_failures_are_not() -> None:
    picky = costs(screenings=(0.5,), passed=0.5)
    assert busy_share("steady", 10, picky, 0) == pytest.approx(1)
    assert busy_share("generational", 10, picky, 0) < 1
    deadly = costs(deaths=360.0, restart=2.0)  # one every ten seconds of work: 1.05 s of work become 1.2 s or so
    assert busy_share("steady", 10, deadly, 0) == pytest.approx(1 / (1 + 0.1 * (2 + 0.5)), rel=0.1)
