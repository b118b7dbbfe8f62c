"""Microseconds per call of the engine's operations, beside plain DEAP's."""

import random
import statistics
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from deap import gp

from benchmarks.engine import plain_deap
from benchmarks.engine.plain_deap import FAILED
from benchmarks.harness.random_knowledge import PAIRS, knowledge
from benchmarks.harness.result import Row
from benchmarks.harness.timing import Timed, race
from kdzero_gp import Distiller, Knowledge, Tree, parse, random_tree
from kdzero_gp.distiller.shapes import output_shape
from kdzero_gp.grammar.grammar import Grammar
from kdzero_gp.grammar.vary import Limits, Variation

LIMITS = Limits(max_depth=7, max_size=30)
NOT_CALLED = "not called: eval"
Outcomes = dict[str, float | None]
COMPILED = 100
"""Trees compiled per round: one takes about as long as ten other calls."""


def timing_rows(calls: int, rounds: int, grammar: Grammar, seed: int) -> list[Row]:
    """Microseconds per call, ours and DEAP's, with what the calls came to.

    Args:
        calls: per round.
        rounds: of which the median counts.
    """
    rng = random.Random(seed)
    random.seed(seed)  # DEAP draws from the global generator
    trees = [draw(rng, grammar) for _ in range(calls)]
    texts = [str(tree) for tree in trees]
    partners = trees[1:] + trees[:1]
    vary = Variation(grammar, LIMITS)
    theirs = plain_deap.mutations(grammar)
    pair = knowledge(PAIRS[0].student, 0), knowledge(PAIRS[0].teacher, 1)
    compiled = min(COMPILED, calls)

    def row(what: str, ours: Callable[[int], Any], deap: Callable[[int], Any] | str, calls: int = calls) -> Row:
        contestants = {"ours": ours} if isinstance(deap, str) else {"ours": ours, "deap": deap}
        times = race(contestants, calls=calls, rounds=rounds)
        note = deap if isinstance(deap, str) else _outcomes(times["deap"])
        return _timing_row(what, times, _outcomes(times["ours"]), note)

    rows = [
        row(
            "random tree (DEAP: genHalfAndHalf)",
            lambda n: draw(rng, grammar),
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


def draw(rng: random.Random, grammar: Grammar) -> Tree:
    """A random tree within the limits."""
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
