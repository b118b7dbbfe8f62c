"""What the engine costs per tree, beside plain DEAP on the same grammar, and how many evaluations it saves."""

import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from deap import gp

from benchmarks import plain_deap
from benchmarks.plain_deap import FAILED
from benchmarks.random_knowledge import PAIRS, knowledge
from benchmarks.result import RESULTS, Claim, Result, Row, make_result
from benchmarks.table import report
from benchmarks.timing import Timed, race
from benchmarks.toy_search import Effects, Spent, our_search, plain_search
from kdzero_gp import Distiller, Knowledge, Tree, parse, random_tree
from kdzero_gp.distiller.shapes import output_shape
from kdzero_gp.grammar.grammar import Grammar, default_grammar
from kdzero_gp.grammar.vary import Limits, Variation

LIMITS = Limits(max_depth=7, max_size=30)
NOT_CALLED = "not called: eval"
Outcomes = dict[str, float | None]
COMPILED = 100
"""Trees compiled per round: one takes about as long as ten other calls."""

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


def timing_rows(plan: Plan, grammar: Grammar, seed: int) -> list[Row]:
    """Microseconds per call, ours and DEAP's, with what the calls came to."""
    rng = random.Random(seed)
    random.seed(seed)  # DEAP draws from the global generator
    trees = [_draw(rng, grammar) for _ in range(plan.calls)]
    texts = [str(tree) for tree in trees]
    partners = trees[1:] + trees[:1]
    vary = Variation(grammar, LIMITS)
    theirs = plain_deap.mutations(grammar)
    pair = knowledge(PAIRS[0].student, 0), knowledge(PAIRS[0].teacher, 1)
    compiled = min(COMPILED, plan.calls)

    def row(what: str, ours: Callable[[int], Any], deap: Callable[[int], Any] | str, calls: int = plan.calls) -> Row:
        contestants = {"ours": ours} if isinstance(deap, str) else {"ours": ours, "deap": deap}
        times = race(contestants, calls=calls, rounds=plan.rounds)
        note = deap if isinstance(deap, str) else _outcomes(times["deap"])
        return _timing_row(what, times, _outcomes(times["ours"]), note)

    rows = [
        row(
            "random tree (DEAP: genHalfAndHalf)",
            lambda n: _draw(rng, grammar),
            lambda n: plain_deap.generate(grammar, LIMITS.max_depth),
        ),
        row("print", lambda n: str(Tree(trees[n])), lambda n: str(gp.PrimitiveTree(trees[n]))),
        row("parse", lambda n: parse(texts[n]), NOT_CALLED),
        row("canonical form", lambda n: Tree(trees[n]).key, "has none"),
        row("compile", lambda n: _compile(trees[n], pair), NOT_CALLED, compiled),
        row("compile, shapes not met before", lambda n: _compile_anew(trees[n], pair), NOT_CALLED, compiled),
        row(
            "crossover (DEAP: cxOnePoint)",
            lambda n: vary.crossover(rng, trees[n], partners[n]),
            lambda n: plain_deap.crossover(trees[n], partners[n]),
        ),
        row("join", lambda n: vary.join(rng, trees[n], partners[n]), "has none"),
    ]
    for name, partner in PARTNERS.items():
        label = f"{name} mutation" + (f" (DEAP: {partner})" if partner else "")
        mutate = partial(_mutate, partial(vary.mutations()[name], rng), trees)
        other = partial(_mutate, theirs[partner], trees) if partner else "has none for these types"
        rows.append(row(label, mutate, other))
    return rows


PARTNERS = {
    "subtree": "mutUniform",
    "node": "mutNodeReplacement",
    "insert": "mutInsert",
    "shrink": "mutShrink",
    "constant": None,
    "hoist": None,
}
"""Our mutations and what DEAP has in their place; its mutEphemeral moves only constants made by a generator."""


def duplicate_rows(plan: Plan, grammar: Grammar) -> list[Row]:
    """Evaluations that a toy search spends, per seed, ours and `eaSimple`'s."""
    effects = Effects()
    rows: list[Row] = []
    for seed in plan.seeds:
        rng = random.Random(seed)
        founders = [_draw(rng, grammar) for _ in range(plan.population)]
        ours = our_search(grammar, effects, population=plan.population, generations=plan.generations, seed=seed)
        theirs = plain_search(grammar, effects, founders, budget=len(ours.trees), seed=seed)
        rows += [_spent_row("ours", seed, ours), _spent_row("DEAP eaSimple", seed, theirs)]
    return rows


def measure(plan: Plan, seed: int, options: dict[str, int]) -> Result:
    """The whole benchmark."""
    grammar = default_grammar()
    timings = timing_rows(plan, grammar, seed)
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


def _draw(rng: random.Random, grammar: Grammar) -> Tree:
    return random_tree(rng, max_depth=LIMITS.max_depth, max_size=LIMITS.max_size, grammar=grammar)


def _mutate(mutation: Callable[[Tree], Any], trees: Sequence[Tree], number: int) -> Any:
    return mutation(trees[number])


def _compile(tree: Tree, pair: tuple[Knowledge, Knowledge]) -> Distiller:
    return Distiller(Tree(tree)).prepare(*pair)


def _compile_anew(tree: Tree, pair: tuple[Knowledge, Knowledge]) -> Distiller:
    output_shape.cache_clear()  # a search meets its few shapes again and again and keeps what it inferred
    return _compile(tree, pair)


def _timing_row(what: str, times: dict[str, Timed], ours: Outcomes, deap: Outcomes | str) -> Row:
    own = times["ours"].microseconds
    other = times["deap"].microseconds if "deap" in times else None
    failed = deap["failed"] if isinstance(deap, dict) else None
    outside = deap["outside"] if isinstance(deap, dict) else None
    # a generator that fails is called again, so what counts is the time until it succeeds
    useful = None if other is None or failed is None or failed >= 100 else other / (1 - failed / 100)
    return {
        "part": "timings",
        "operation": what,
        "ours µs": own,
        "ours failed %": ours["failed"],
        "ours gave none %": ours["none"],
        "ours mean size": ours["size"],
        "DEAP µs": other,
        "DEAP failed %": failed,
        "DEAP beyond limits %": outside,
        "DEAP mean size": deap["size"] if isinstance(deap, dict) else None,
        "DEAP µs per success": useful,
        "DEAP : ours": None if useful is None else useful / own,
        "note": deap if isinstance(deap, str) else "",
    }


def _outcomes(timed: Timed) -> Outcomes:
    """What the calls came to: shares in percent of those that raised, gave None, passed the limits; mean size."""
    made = timed.outcomes
    trees = [tree for tree in made if isinstance(tree, gp.PrimitiveTree)]
    outside = sum(len(t) > LIMITS.max_size or t.height > LIMITS.max_depth for t in trees)
    return {
        "failed": 100 * sum(isinstance(t, str) and t == FAILED for t in made) / len(made),
        "none": 100 * sum(t is None for t in made) / len(made),
        "outside": 100 * outside / len(made),
        "size": statistics.fmean(map(len, trees)) if trees else None,
    }


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
