"""What racing, screening and deduplication save: student steps until a search has found as good a distiller.

Two searches of the same loop on the digits pair. The plain one trains every proposal by the whole schedule, those that
repeat an earlier one, or that the screening would have turned down, included. The other one is the program's: screened,
deduplicated, raced. Whatever was best at a moment is trained by the whole schedule with fresh seeds, beside the budget,
so that both are measured by one thing that neither has selected on: the mean validation fitness there.
"""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import torch
import typer

from benchmarks.harness.checkout import RESULTS
from benchmarks.harness.result import Claim, Row, make_result
from benchmarks.harness.side_by_side import side_by_side
from benchmarks.harness.table import report
from benchmarks.search_cost.searches import arms, one_seed
from benchmarks.search_cost.trace import steps_until

TARGET = 0.25

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def rows_of(results: Mapping[tuple[str, int], Sequence[tuple[int, float]]]) -> list[Row]:
    """A row for each moment of each search."""
    return [
        {"part": "trace", "search": name, "seed": seed, "student steps": steps, "validation fitness": value}
        for (name, seed), points in results.items()
        for steps, value in points
    ]


def summary(results: Mapping[tuple[str, int], Sequence[tuple[int, float]]], seeds: Sequence[int]) -> list[Row]:
    """By seed: what the plain search reached with its budget, and the steps after which the raced one was there."""
    rows: list[Row] = []
    for seed in seeds:
        plain, raced = results["plain", seed], results["raced", seed]
        steps = steps_until(raced, plain[-1][1])
        rows.append(
            {
                "part": "by seed",
                "seed": seed,
                "plain: steps": plain[-1][0],
                "plain: fitness": round(plain[-1][1], 4),
                "raced: steps": raced[-1][0],
                "raced: fitness": round(raced[-1][1], 4),
                "steps until as good": steps,
                "share of plain": None if steps is None else round(steps / plain[-1][0], 3),
            }
        )
    return rows


def claims(rows: Sequence[Row]) -> list[Claim]:
    """The median share of the plain search's steps, a search that did not get there counting as more than all."""
    shares = [1.0 if row["share of plain"] is None else float(str(row["share of plain"])) for row in rows]
    gain = [float(str(row["plain: fitness"])) - float(str(row["raced: fitness"])) for row in rows]
    return [
        Claim.at_most(
            "share of plain search's steps until the same validation fitness, median",
            statistics.median(shares),
            TARGET,
            "",
        ),
        Claim.at_least(
            "fitness of the plain search's best minus that of the raced one's, mean", statistics.fmean(gain), 0.0, ""
        ),
    ]


@app.command()
def main(
    population: Annotated[int, typer.Option(help="Candidates of a generation.")] = 20,
    generations: Annotated[int, typer.Option(help="Generations after the first.")] = 4,
    rungs: Annotated[int, typer.Option(help="Rungs of the race.")] = 3,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each search.")] = 5,
    workers: Annotated[int, typer.Option(min=1, help="Searches at a time.")] = 2,
    quick: Annotated[bool, typer.Option("--quick", help="Tiny searches, to see that it works.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Result file, by default benchmarks/results/search_cost.json.")
    ] = None,
) -> None:
    """Measure the student steps that racing, screening and deduplication save."""
    torch.set_num_threads(1)
    if quick:
        population, generations, rungs, seeds, workers = 3, 0, 2, 1, 1
    pair = arms(population, generations, rungs, epochs=2 if quick else None)
    jobs = [(arm, seed) for seed in range(seeds) for arm in pair]
    points = side_by_side(one_seed, jobs, workers)
    results = {(arm.name, seed): found for (arm, seed), found in zip(jobs, points, strict=True)}
    table = summary(results, range(seeds))
    options = {
        "population": population,
        "generations": generations,
        "rungs": rungs,
        "seeds": seeds,
        "workers": workers,
        "quick": quick,
    }
    result = make_result(
        "search_cost", options, seeds=range(seeds), rows=[*table, *rows_of(results)], claims=claims(table)
    )
    report(result, out or (None if quick else RESULTS / "search_cost.json"))


if __name__ == "__main__":
    app()
