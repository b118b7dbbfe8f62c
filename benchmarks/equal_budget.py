"""Evolution beside random search at an equal, small budget, over many run seeds of the digits pair.

And evolution without one of its operators, `join`, which adds up the terms of two parents. As in a run, the best few by
proxy are trained in full once more and ranked on the validation split; the winner is then trained with fresh seeds and
tested. One run seed tells little at such a budget: whether the first few random trees hold a good one is luck.
"""

import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import torch
import typer

from benchmarks.result import RESULTS, Claim, Row, make_result
from benchmarks.side_by_side import side_by_side
from benchmarks.table import report
from kdzero_gp.comparison.statistics import paired_test
from kdzero_gp.evaluate.evaluator import Entrant, Evaluator
from kdzero_gp.evaluate.fitness import FITNESS
from kdzero_gp.evolve.individual import Individual
from kdzero_gp.evolve.search import Search
from kdzero_gp.evolve.settings import Arm
from kdzero_gp.execute.inprocess import InProcess
from kdzero_gp.session.assemble import make_evaluator, make_grammar, make_settings
from kdzero_gp.session.config import RunConfig, make_config
from kdzero_gp.session.determinism import settle_torch
from kdzero_gp.session.runner import Silent
from kdzero_gp.store import RunStore

LEADERS = 3
"""Trained in full once, on the validation split, before one of them is the winner."""
FRESH = 3
"""Trainings of the winner that are tested."""
LEAD = "evolution's lead, points"
EVOLUTION, WITHOUT_JOIN, RANDOM = "evolution", "evolution without join", "random search"
SEARCHES = (EVOLUTION, WITHOUT_JOIN, RANDOM)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Found:
    """What one search of one run seed came to.

    Attributes:
        proxy: fitness of the winner by its proxy training; lower is better, 1 is the student alone.
        accuracy: test accuracy of the winner in percent, mean of the trainings that succeeded.
        alone: the same of the student alone.
    """

    tree: str
    proxy: float
    accuracy: float
    alone: float


def one_seed(seed: int, options: Mapping[str, int]) -> dict[str, Found]:
    """All searches of one run seed.

    Args:
        options: of the run.
    """
    settle_torch(1, "cpu")
    config = make_config(seed=seed, **options)
    evaluator = make_evaluator(config)
    alone = _tested(evaluator, Entrant(None))
    found = {}
    for name in SEARCHES:
        winner = _winner(evaluator, _trained(evaluator, config, name))
        entrant = _entrant(winner)
        found[name] = Found(str(winner.tree), winner.value, _tested(evaluator, entrant), alone)
    return found


def _trained(evaluator: Evaluator, config: RunConfig, name: str) -> list[Individual]:
    """Every candidate with a fitness, best first."""
    arm: Arm = "random" if name == RANDOM else "evolve"
    settings = make_settings(config, evaluator.ladder)
    if name == WITHOUT_JOIN:
        operators = {operator: weight for operator, weight in settings.operators.items() if operator != "join"}
        settings = replace(settings, operators=operators)
    with (
        tempfile.TemporaryDirectory(prefix="kdzero-gp-equal-budget-") as folder,
        RunStore.create(Path(folder) / "run", config.identity) as store,
    ):
        grammar = make_grammar(config, evaluator.task)
        return Search(arm, settings, grammar, InProcess(evaluator), store, Silent()).run()


def _winner(evaluator: Evaluator, found: Sequence[Individual]) -> Individual:
    """Of the best by proxy, the best by one full training on the validation split."""
    alone = evaluator.full(Entrant(None), FRESH, "val").parts
    fitness = FITNESS[evaluator.settings.fitness]

    def worth(individual: Individual) -> float:
        own = evaluator.full(_entrant(individual), FRESH, "val").parts
        return float("inf") if own is None or alone is None else fitness(own, alone)

    return min(found[:LEADERS], key=worth)


def _entrant(individual: Individual) -> Entrant:
    return Entrant(str(individual.tree), individual.evaluation.calibration)


def _tested(evaluator: Evaluator, entrant: Entrant) -> float:
    results = [evaluator.full(entrant, number, "test").part("accuracy") for number in range(FRESH)]
    return 100 * statistics.fmean(value for value in results if value is not None)


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
