"""Candidates per second by executor and number of workers, what a dispatch costs, and how far that would scale."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.harness.checkout import RESULTS
from benchmarks.harness.result import Claim, Result, Row, Scalar, make_result
from benchmarks.harness.table import report
from benchmarks.scaling.executors import candidate_rows, dispatch_rows
from benchmarks.scaling.settings import (
    ALONE,
    BESIDE_RAY,
    COST,
    DEATHS,
    DISPATCH,
    FULL,
    LONGER,
    MODES,
    QUICK,
    RATE,
    SEARCH,
    SIMULATION,
    Size,
)
from benchmarks.scaling.simulation import Costs, busy_share
from kdzero_gp.run.config import make_config

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def costs_of(rows: Sequence[Row], restart: float) -> Costs:
    """What the simulation needs, of the measured rows."""
    one = next(row for row in rows if row["part"] == ALONE and row["workers"] == 1)
    dispatch = next(row for row in rows if row["part"] == DISPATCH and row["workers"] == 2)
    screenings, trainings = (tuple(map(float, one[name])) for name in ("screenings", "trainings"))  # type: ignore
    return Costs(
        screenings=screenings,
        trainings=trainings,
        passed=len(trainings) / len(screenings),
        coordination=float(dispatch[SEARCH]) / 1000 / 2,  # type: ignore[arg-type]
        deaths=DEATHS,
        restart=restart,
    )


def cost_rows(costs: Costs) -> list[Row]:
    """What the simulation went by."""
    return [
        {
            "part": "costs simulated",
            "mean training, s": statistics.fmean(costs.trainings),
            "std of trainings, s": statistics.pstdev(costs.trainings),
            "mean screening, s": statistics.fmean(costs.screenings),
            "screenings passed, %": 100 * costs.passed,
            "coordination, ms per job": 1000 * costs.coordination,
            "worker's start, s": costs.restart,
            "deaths per worker and hour (assumed)": costs.deaths,
        }
    ]


def simulation_rows(costs: Costs, workers: Sequence[int], seed: int) -> list[Row]:
    """Busy share by number of workers and mode, for candidates as measured and for longer ones of the same spread."""
    factor = LONGER / statistics.fmean(costs.trainings)
    longer = replace(
        costs,
        trainings=[factor * seconds for seconds in costs.trainings],
        screenings=[factor * seconds for seconds in costs.screenings],
    )
    return [
        {
            "part": SIMULATION,
            "candidates": kind,
            "mean training, s": statistics.fmean(chosen.trainings),
            "workers": count,
            "mode": mode,
            "busy %": 100 * busy_share(mode, count, chosen, seed),
        }
        for kind, chosen in (("as measured", costs), ("longer", longer))
        for count in workers
        for mode in MODES
    ]


def claims_of(rows: Sequence[Row]) -> list[Claim]:
    """What was hoped for."""

    def value(column: str, **where: object) -> float | None:
        found = [row[column] for row in rows if all(row.get(name) == wanted for name, wanted in where.items())]
        return float(found[0]) if found and isinstance(found[0], int | float) else None

    def ratio(above: float | None, below: float | None) -> float | None:
        return None if above is None or below is None else above / below

    one, two = (value(RATE, part=ALONE, workers=workers) for workers in (1, 2))
    beside, ray = (value(RATE, part=BESIDE_RAY, executor=executor) for executor in ("processes", "ray"))
    cost = value(COST, part=DISPATCH, executor="processes", workers=2)
    busy, busy_longer = (
        value("busy %", part=SIMULATION, candidates=kind, workers=1000, mode="steady")
        for kind in ("as measured", "longer")
    )
    return [
        Claim.at_least("2 worker processes to 1, candidates per second, at least", ratio(two, one), 1.8, "×"),
        Claim.at_least("Ray actors to as many worker processes, at least", ratio(ray, beside), 0.9, "×"),
        Claim.at_most("sending out a candidate's two jobs and taking their results, at most", cost, 5.0, "ms"),
        Claim.at_least("1,000 simulated workers in steady mode, digits, busy at least", busy, 90.0, "%"),
        Claim.at_least(f"the same with trainings of {LONGER:g} s, busy at least", busy_longer, 90.0, "%"),
    ]


def measure(size: Size, *, device: str, with_ray: bool, seed: int, options: Mapping[str, Scalar]) -> Result:
    """All of it."""
    config = make_config(seed=seed, device=device, threads=1, **size.options)
    rows, start = candidate_rows(config, with_ray, size, seed)
    rows += dispatch_rows(with_ray, size, seed)
    costs = costs_of(rows, start)
    rows += cost_rows(costs) + simulation_rows(costs, size.simulated, seed)
    return make_result("scaling", options, seeds=[seed], rows=rows, claims=claims_of(rows), device=device)


@app.command()
def main(
    seed: Annotated[int, typer.Option(help="Of the trees and of the simulation.")] = 0,
    device: Annotated[str, typer.Option(help="cpu, or cuda, which the workers then share.")] = "cpu",
    no_ray: Annotated[bool, typer.Option("--no-ray", help="Leave Ray's actors out.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Few candidates; writes only where --out says.")] = False,
    out: Annotated[Path | None, typer.Option(help="Result file, by default benchmarks/results/scaling.json.")] = None,
) -> None:
    """Measure executors, and simulate more workers than there are here."""
    options: dict[str, Scalar] = {"seed": seed, "device": device, "no_ray": no_ray, "quick": quick}
    result = measure(QUICK if quick else FULL, device=device, with_ray=not no_ray, seed=seed, options=options)
    report(result, out or (None if quick else RESULTS / "scaling.json"))


if __name__ == "__main__":
    app()
