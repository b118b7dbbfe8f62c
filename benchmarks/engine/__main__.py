"""What the engine costs per tree, beside plain DEAP on the same grammar, and how many evaluations it saves."""

import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import typer

from benchmarks.engine.timings import draw, timing_rows
from benchmarks.engine.toy_search import Effects, Spent, our_search, plain_search
from benchmarks.harness.checkout import RESULTS
from benchmarks.harness.result import Claim, Result, Row, make_result
from benchmarks.harness.table import report
from kdzero_gp.grammar.grammar import Grammar, default_grammar

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes:
        calls: per round of a timing.
        rounds: of which the median counts.
        population, generations: of the toy searches, one per seed.
    """

    calls: int = 2000
    rounds: int = 7
    population: int = 20
    generations: int = 25
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)


QUICK = Plan(calls=20, rounds=1, population=5, generations=3, seeds=(0, 1))


def duplicate_rows(plan: Plan, grammar: Grammar) -> list[Row]:
    """Evaluations that a toy search spends, per seed, ours and `eaSimple`'s."""
    effects = Effects()
    rows: list[Row] = []
    for seed in plan.seeds:
        rng = random.Random(seed)
        founders = [draw(rng, grammar) for _ in range(plan.population)]
        ours = our_search(grammar, effects, population=plan.population, generations=plan.generations, seed=seed)
        theirs = plain_search(grammar, effects, founders, budget=len(ours.trees), seed=seed)
        rows += [_spent_row("ours", seed, ours), _spent_row("DEAP eaSimple", seed, theirs)]
    return rows


def measure(plan: Plan, seed: int, options: dict[str, int]) -> Result:
    """The whole benchmark."""
    grammar = default_grammar()
    timings = timing_rows(plan.calls, plan.rounds, grammar, seed)
    duplicates = duplicate_rows(plan, grammar)
    generation = timings[0]
    claims = [
        Claim.at_least("random trees per second", 1e6 / _number(generation["ours µs"]), 1000.0, "1/s"),
        Claim.at_most("calls of our generator that fail", _number(generation["ours failed %"]), 0.0, "%"),
        Claim.at_most("our evaluations spent on what was known already", 100 - _new(duplicates, "ours"), 0.0, "%"),
        Claim.at_least(
            "distinct distillers that ours evaluates for one of DEAP eaSimple's, same number of evaluations",
            _new(duplicates, "ours") / _new(duplicates, "DEAP eaSimple"),
            1.0,
            "",
        ),
    ]
    seeds = sorted({seed, *plan.seeds})
    return make_result("engine", options, seeds=seeds, rows=timings + duplicates, claims=claims)


def _spent_row(engine: str, seed: int, spent: Spent) -> Row:
    texts, keys, effects = spent.distinct
    canonical, functional = spent.avoided
    return {
        "part": "duplicates",
        "engine": engine,
        "seed": seed,
        "evaluations": len(spent.trees),
        "distinct texts": texts,
        "distinct canonical": keys,
        "distinct effects": effects,
        "spent on repeats %": 100 * (1 - effects / len(spent.trees)),
        "canonical repeats avoided": canonical if engine == "ours" else None,
        "functional repeats avoided": functional if engine == "ours" else None,
    }


def _new(rows: Sequence[Row], engine: str) -> float:
    """Median over the seeds of the share of evaluations, in percent, that told something new."""
    return statistics.median(100 - _number(row["spent on repeats %"]) for row in rows if row["engine"] == engine)


def _number(value: object) -> float:
    if not isinstance(value, int | float):
        raise TypeError(f"a measurement is {value!r}")
    return float(value)


@app.command()
def main(
    calls: Annotated[int, typer.Option(min=2, help="Calls per round of a timing.")] = Plan.calls,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds, of which the median counts.")] = Plan.rounds,
    seed: Annotated[int, typer.Option(help="Of the trees that are timed.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="A few calls; writes only where --out says.")] = False,
    out: Annotated[Path | None, typer.Option(help="Result file, by default benchmarks/results/engine.json.")] = None,
) -> None:
    """Measure the engine beside plain DEAP."""
    torch.set_num_threads(1)
    plan = QUICK if quick else Plan(calls=calls, rounds=rounds)
    result = measure(plan, seed, {"calls": plan.calls, "rounds": plan.rounds, "seed": seed})
    report(result, out or (None if quick else RESULTS / "engine.json"))


if __name__ == "__main__":
    app()
