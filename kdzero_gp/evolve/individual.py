"""A member of a population, and the two fitnesses it can be selected by."""

from dataclasses import dataclass

from deap import base

from kdzero_gp.grammar.tree import Tree
from kdzero_gp.store.record import Evaluation, Proposal


class Minimise(base.Fitness):  # type: ignore[misc]  # DEAP has no types
    """One number, lower is better."""

    weights = (-1.0,)


class MinimiseWithSize(base.Fitness):  # type: ignore[misc]
    """Fitness and tree size, both lower is better: what NSGA-II trades off."""

    weights = (-1.0, -1.0)


@dataclass
class Individual:
    """A tree that was trained with success. DEAP's selectors read, and NSGA-II annotates, `fitness`."""

    tree: Tree
    proposal: Proposal
    evaluation: Evaluation
    fitness: base.Fitness

    @property
    def value(self) -> float:
        """The fitness, lower is better."""
        return float(self.fitness.values[0])


def individual(tree: Tree, proposal: Proposal, evaluation: Evaluation, *, with_size: bool) -> Individual:
    """An individual from its records.

    Raises:
        ValueError: the evaluation has no fitness.
    """
    if evaluation.fitness is None:
        raise ValueError(f"{proposal.tree} has no fitness, its status is {evaluation.status}")
    fitness = MinimiseWithSize((evaluation.fitness, tree.size)) if with_size else Minimise((evaluation.fitness,))
    return Individual(tree, proposal, evaluation, fitness)


def place(found: Individual) -> tuple[float, int, int]:
    """Sorts best first; of equals the smaller, then the earlier."""
    return found.value, found.tree.size, found.proposal.number
