"""Evolution beside random search at an equal, small budget, over many run seeds of the digits pair.

And evolution without one of its operators, `join`, which adds up the terms of two parents. As in a run, the best few by
proxy are trained in full once more and ranked on the validation split; the winner is then trained with fresh seeds and
tested. One run seed tells little at such a budget: whether the first few random trees hold a good one is luck.
"""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import torch
import typer

from benchmarks.equal_budget.searches import EVOLUTION, RANDOM, SEARCHES, Found, one_seed
from benchmarks.harness.checkout import RESULTS
from benchmarks.harness.result import Claim, Row, make_result
from benchmarks.harness.side_by_side import side_by_side
from benchmarks.harness.table import report
from kdzero_gp.compare.statistics import paired_test

LEAD = "evolution's lead, points"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def search_rows(found: Mapping[int, Mapping[str, Found]]) -> list[Row]:
    """One row per search, over the run seeds, with evolution's paired lead over it."""
    evolution = [by_name[EVOLUTION] for by_name in found.values()]
    rows: list[Row] = []
    for name in SEARCHES:
        own = [by_name[name] for by_name in found.values()]
        row: dict[str, str | float | None] = {
            "part": "searches",
            "search": name,
            "run seeds": len(own),
            "proxy fitness": statistics.fmean(one.proxy for one in own),
            "test %": statistics.fmean(one.accuracy for one in own),
            "gain over the student alone": statistics.fmean(one.accuracy - one.alone for one in own),
            LEAD: None,
            "evolution ahead in": None,
            "p, test": None,
            "p, proxy": None,
        }
        if name != EVOLUTION:
            pairs = [(a.accuracy, b.accuracy) for a, b in zip(evolution, own, strict=True)]
            row[LEAD] = statistics.fmean(a - b for a, b in pairs)
            row["evolution ahead in"] = sum(a > b for a, b in pairs)
            row["p, test"] = paired_test(pairs)
            row["p, proxy"] = paired_test([(a.proxy, b.proxy) for a, b in zip(evolution, own, strict=True)])
        rows.append(row)
    return rows


def winner_rows(found: Mapping[int, Mapping[str, Found]]) -> list[Row]:
    """Every winner."""
    return [
        {"part": "winners", "seed": seed, "search": name, "test %": one.accuracy, "proxy": one.proxy, "tree": one.tree}
        for seed, by_name in found.items()
        for name, one in by_name.items()
    ]


def claims(rows: Sequence[Row]) -> list[Claim]:
    """That evolution finds better distillers than random search does with as many candidates."""
    rival = next(row for row in rows if row["search"] == RANDOM)
    lead, p_value = (None if rival[key] is None else float(str(rival[key])) for key in (LEAD, "p, test"))
    return [
        Claim.at_least("evolution over random search of equal budget, points of test accuracy", lead, 0.0, "points"),
        Claim.at_most("p of that difference, paired over run seeds", p_value, 0.05, ""),
    ]


@app.command()
def main(
    population: Annotated[int, typer.Option(min=2, help="Candidates of a generation.")] = 8,
    generations: Annotated[int, typer.Option(min=0, help="Generations after the first.")] = 4,
    seeds: Annotated[int, typer.Option(min=1, help="Run seeds: 0, 1, 2, …")] = 20,
    workers: Annotated[int, typer.Option(min=1, help="Run seeds at a time.")] = 2,
    quick: Annotated[bool, typer.Option("--quick", help="Tiny searches, to see that it works.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Result file, by default benchmarks/results/equal_budget.json.")
    ] = None,
) -> None:
    """Compare evolution with random search at an equal, small budget."""
    torch.set_num_threads(1)
    if quick:
        population, generations, seeds, workers = 2, 1, 2, 1
    run = {"pop": population, "gens": generations} | ({"epochs": 1, "proxy_epochs": 1} if quick else {})
    found = dict(enumerate(side_by_side(one_seed, [(seed, run) for seed in range(seeds)], workers)))
    table = search_rows(found)
    options = {
        "population": population, "generations": generations, "seeds": seeds, "workers": workers, "quick": quick
    }  # fmt: skip
    rows = [*table, *winner_rows(found)]
    report(
        make_result("equal_budget", options, seeds=range(seeds), rows=rows, claims=claims(table)),
        out or (None if quick else RESULTS / "equal_budget.json"),
    )


if __name__ == "__main__":
    app()
