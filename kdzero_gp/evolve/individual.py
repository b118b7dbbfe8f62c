"""A member of a population, and the two fitnesses it can be selected by."""

from dataclasses import dataclass

from deap import base

from kdzero_gp.grammar.tree import Tree
from kdzero_gp.store.record import Evaluation, Proposal


class RaceFitness(base.Fitness):  # type: ignore[misc]  # DEAP has no types
    """The rung reached, higher is better, then the fitness there, lower is better.

    DEAP compares such values from the first to the last, and fitnesses of different rungs are of different trainings:
    who was let go on was better than who was not.
    """

    weights = (1.0, -1.0)


class RaceFitnessWithSize(base.Fitness):  # type: ignore[misc]
    """Rung, fitness and tree size: what NSGA-II trades off."""

    weights = (1.0, -1.0, -1.0)


@dataclass
class Individual:
    """A tree that was trained with success. DEAP's selectors read, and NSGA-II annotates, `fitness`.

    Attributes:
        proposal, evaluation: of the highest rung it reached.
    """

    tree: Tree
    proposal: Proposal
    evaluation: Evaluation
    fitness: base.Fitness

    @property
    def rung(self) -> int:
        """The highest rung it reached."""
        return self.proposal.rung

    @property
    def value(self) -> float:
        """The fitness there, lower is better."""
        return float(self.fitness.values[1])


def individual(tree: Tree, proposal: Proposal, evaluation: Evaluation, *, with_size: bool) -> Individual:
    """An individual from its records.

    Raises:
        ValueError: the evaluation has no fitness.
    """
    if evaluation.fitness is None:
        raise ValueError(f"{proposal.tree} has no fitness, its status is {evaluation.status}")
    values = (proposal.rung, evaluation.fitness)
    fitness = RaceFitnessWithSize((*values, tree.size)) if with_size else RaceFitness(values)
    return Individual(tree, proposal, evaluation, fitness)


def place(found: Individual) -> tuple[int, float, int, int]:
    """Sorts best first; of equals the smaller, then the earlier."""
    return -found.rung, found.value, found.tree.size, found.proposal.number
