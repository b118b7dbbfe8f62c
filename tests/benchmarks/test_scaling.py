"""The scaling benchmark: the simulation against cases worked out by hand, and the script in a small version."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks import scaling
from benchmarks.result import read_result
from benchmarks.scaling_simulation import FEWEST, GENERATIONS, Costs, busy_share
from benchmarks.scaling_work import draw
from kdzero_gp import parse
from kdzero_gp.grammar.grammar import default_grammar

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


def test_trees_are_drawn_once_each() -> None:
    trees = draw(40, 3, default_grammar())
    assert len({parse(tree).key for tree in trees}) == 40
    assert trees[:5] == draw(5, 3, default_grammar())


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scaling")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDZERO_GP_CACHE", str(folder / "cache"))
        out = folder / "scaling.json"
        done = CliRunner(env={"COLUMNS": "250"}).invoke(scaling.app, ["--quick", "--no-ray", "--out", str(out)])
    assert done.exit_code == 0, done.output
    return out


def test_the_script_writes_its_result(output: Path) -> None:
    result = read_result(output)
    assert [row["workers"] for row in result.part(scaling.ALONE)] == [1, 2]
    assert all(float(row[scaling.RATE]) > 0 for row in result.part(scaling.ALONE))  # type: ignore[arg-type]
    assert len(result.part(scaling.DISPATCH)) == 1
    assert {row["mode"] for row in result.part(scaling.SIMULATION)} == {"steady", "generational"}
    assert all(0 < float(row["busy %"]) <= 100 for row in result.part(scaling.SIMULATION))  # type: ignore[arg-type]
    measured = [claim.measured is not None for claim in result.claims]
    assert measured == [True, False, True, False, False], "without Ray, and without a simulation of 1,000 workers"
