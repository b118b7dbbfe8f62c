"""DEAP's own generator and operators on our grammar, used as its documentation uses them.

`gp.compile` and `PrimitiveTree.from_string` hand text to Python's evaluator and are not called anywhere.
"""

import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import deepcopy
from functools import partial
from operator import attrgetter
from typing import Any, TypeAlias

from deap import algorithms, base, gp, tools

from kdzero_gp.grammar.generate import random_subtree
from kdzero_gp.grammar.grammar import Grammar
from kdzero_gp.grammar.tree import Tree

FAILED = "IndexError"
"""What DEAP raises where a type has no terminal, or no primitive, at the depth it wants one."""

Outcome: TypeAlias = gp.PrimitiveTree | str


class BudgetSpentError(Exception):
    """The search asked for one evaluation more than it has."""


class Minimise(base.Fitness):  # type: ignore[misc]  # DEAP has no types
    """One number, lower is better."""

    weights = (-1.0,)


class PlainIndividual(gp.PrimitiveTree):  # type: ignore[misc]  # DEAP has no types
    """A tree as DEAP's examples make it: a `PrimitiveTree` with a fitness."""

    def __init__(self, content: Sequence[Any]) -> None:
        super().__init__(content)
        self.fitness = Minimise()


def generate(grammar: Grammar, max_depth: int, *, min_depth: int = 1) -> Outcome:
    """One call of the usual generator; its dead end as a text."""
    try:
        return PlainIndividual(gp.genHalfAndHalf(grammar, min_=min_depth, max_=max_depth))
    except IndexError:
        return FAILED


def crossover(left: Tree, right: Tree) -> Outcome:
    """The first child of a one-point crossover of clones, as `varAnd` makes them."""
    child: Outcome = gp.cxOnePoint(_clone(left), _clone(right))[0]
    return child


def mutations(grammar: Grammar) -> dict[str, Callable[[Tree], Outcome]]:
    """DEAP's mutations by name, each on a clone; a dead end as a text."""
    grown = partial(gp.genHalfAndHalf, min_=0, max_=3)
    return {
        "mutUniform": lambda tree: _tried(gp.mutUniform, tree, expr=grown, pset=grammar),
        "mutNodeReplacement": lambda tree: _tried(gp.mutNodeReplacement, tree, pset=grammar),
        "mutInsert": lambda tree: _tried(gp.mutInsert, tree, pset=grammar),
        "mutShrink": lambda tree: _tried(gp.mutShrink, tree),
    }


def evaluated_by_ea_simple(
    founders: Sequence[Tree], grammar: Grammar, fitness: Callable[[Tree], float], *, budget: int, seed: int
) -> list[Tree]:
    """The first `budget` trees that DEAP's `eaSimple` asks a fitness for, repeats included.

    Founders and the subtrees that `mutUniform` puts in are drawn by our generator, since DEAP's rarely gets through
    this grammar; rates, selection and limits are those of its tutorial. The figures vary a little from process to
    process whatever the seed, since `cxOnePoint` iterates a set of classes.
    """
    asked: list[Tree] = []
    rng = random.Random(seed)

    def evaluate(individual: PlainIndividual) -> tuple[float]:
        if len(asked) == budget:
            raise BudgetSpentError
        asked.append(Tree(individual))
        return (fitness(asked[-1]),)

    def grown(pset: Grammar, type_: type) -> list[Any]:
        height, size = pset.minimum_height[type_], pset.minimum_size[type_]
        return list(random_subtree(rng, pset, type_, max(3, height), max(15, size), weights={}))

    toolbox = base.Toolbox()
    toolbox.register("evaluate", evaluate)
    toolbox.register("select", tools.selTournament, tournsize=3)
    toolbox.register("mate", gp.cxOnePoint)
    toolbox.register("mutate", gp.mutUniform, expr=grown, pset=grammar)
    for operator in ("mate", "mutate"):
        toolbox.decorate(operator, gp.staticLimit(len, 30), gp.staticLimit(attrgetter("height"), 7))
    random.seed(seed)
    population = [PlainIndividual(list(tree)) for tree in founders]
    with suppress(BudgetSpentError):
        algorithms.eaSimple(population, toolbox, cxpb=0.5, mutpb=0.2, ngen=budget, verbose=False)
    return asked


def _clone(tree: Tree) -> PlainIndividual:
    return deepcopy(PlainIndividual(list(tree)))


def _tried(operator: Callable[..., Any], tree: Tree, **options: Any) -> Outcome:
    try:
        child: Outcome = operator(_clone(tree), **options)[0]
        return child
    except IndexError:
        return FAILED
