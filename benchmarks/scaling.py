"""Candidates per second by executor and number of workers, what a dispatch costs, and how far that would scale."""

import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.result import RESULTS, Claim, Result, Row, Scalar, make_result
from benchmarks.scaling_simulation import Costs, Mode, busy_share
from benchmarks.scaling_work import Pass, dispatch_seconds, draw, make_costless, run_pass, search_seconds
from benchmarks.table import report
from kdzero_gp.execute.processes import Processes
from kdzero_gp.execute.protocol import Executor, ScreenJob
from kdzero_gp.execute.ray import Ray
from kdzero_gp.grammar.grammar import default_grammar
from kdzero_gp.session.assemble import make_evaluator, make_grammar, make_worker_evaluator
from kdzero_gp.session.config import RunConfig, make_config

STATE = 40_000
"""Bytes of a costless candidate's state: what the digits student's is."""
DEATHS = 0.1
"""Assumed deaths of a worker per hour, as where hosts are lent; none died unasked while this was measured."""
LONGER = 28.0
"""Mean seconds of a training in the second simulation: 6 epochs of 5,000 images in 60 ms per step of 64, ResNet-20."""
MODES: tuple[Mode, ...] = ("steady", "generational")
ALONE, BESIDE_RAY, DISPATCH, SIMULATION = "candidates", "candidates beside ray", "dispatch", "simulated"
RATE, COST, SEARCH = "candidates per second", "dispatch, ms per candidate", "whole search, ms per candidate"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Size:
    """How much is measured.

    Attributes:
        jobs: candidates that compute nothing.
        dispatched: numbers of worker processes that these are sent to.
        simulated: numbers of workers.
        options: of the pair.
    """

    candidates: int
    rounds: int
    jobs: int
    dispatched: tuple[int, ...]
    simulated: tuple[int, ...]
    options: Mapping[str, Scalar] = field(default_factory=dict)


FULL = Size(candidates=40, rounds=3, jobs=400, dispatched=(1, 2), simulated=(1, 2, 10, 100, 1000, 10_000))
SMALL: dict[str, Scalar] = {"teacher": "cnn4", "limit": 128, "proxy_epochs": 1}
QUICK = Size(candidates=2, rounds=1, jobs=20, dispatched=(2,), simulated=(1, 20), options=SMALL)


def race(part: str, executors: Mapping[str, Executor], trees: Sequence[str], rung: int, rounds: int) -> list[Row]:
    """Candidates per second by executor, the median over rounds in which each has its turn.

    What else the machine does hits all alike so. One round more, before the others, is not counted: in it each worker
    starts, trains the student alone and fills its cache of teacher outputs.
    """
    passes: dict[str, list[Pass]] = {name: [] for name in executors}
    for counted in [False] + [True] * rounds:
        for name, executor in executors.items():
            run = run_pass(executor, trees, rung)
            if counted:
                passes[name].append(run)
    return [
        {
            "part": part,
            "executor": name,
            "workers": executors[name].workers,
            RATE: statistics.median(len(trees) / run.seconds for run in runs),
            "rounds": [len(trees) / run.seconds for run in runs],
            "trainings": [seconds for run in runs for seconds in run.trainings],
            "screenings": [seconds for run in runs for seconds in run.screenings],
            "not ok": sum(status != "ok" for status in runs[0].statuses),
        }
        for name, runs in passes.items()
    ]


def candidate_rows(config: RunConfig, with_ray: bool, size: Size, seed: int) -> tuple[list[Row], float]:
    """One worker process against two, and Ray's actors against as many processes.

    Returns:
        The rows, and the seconds from a worker's start to its first result: what a death costs besides the job.
    """
    evaluator = make_evaluator(config)
    trees = draw(size.candidates, seed, make_grammar(config, evaluator.task))
    rung = evaluator.ladder.last
    make = partial(make_worker_evaluator, config)
    devices = ["cpu"] if config.device == "cpu" else ["cuda:0"]

    def processes(workers: int) -> Processes:
        return Processes(workers, make, devices=devices, threads=config.threads)

    with closing(processes(1)) as one, closing(processes(2)) as two:
        started = time.perf_counter()
        list(one.run([ScreenJob(trees[0])]))
        start = time.perf_counter() - started
        rows = race(ALONE, {"1": one, "2": two}, trees, rung, size.rounds)
    rows = [{**row, "executor": "processes"} for row in rows]
    if with_ray:
        gpus = 0.0 if config.device == "cpu" else 0.5
        with closing(processes(2)) as two, closing(Ray(2, make, threads=config.threads, gpus=gpus)) as ray:
            rows += race(BESIDE_RAY, {"processes": two, "ray": ray}, trees, rung, size.rounds)
    return rows, start


def dispatch_rows(with_ray: bool, size: Size, seed: int) -> list[Row]:
    """Milliseconds per candidate that computes nothing: in and out, and in a steady search with its store."""
    trees = draw(size.jobs, seed, default_grammar())
    rows: list[Row] = []
    make = partial(make_costless, STATE)
    for kind, workers in (*(("processes", count) for count in size.dispatched), *((("ray", 2),) if with_ray else ())):
        with closing(Ray(workers, make) if kind == "ray" else Processes(workers, make)) as executor:
            row: Row = {
                "part": DISPATCH,
                "executor": kind,
                "workers": workers,
                COST: 1000 * dispatch_seconds(executor, trees),
                SEARCH: 1000 * search_seconds(executor, size.jobs, seed),
            }
        rows.append(row)
    return rows


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
