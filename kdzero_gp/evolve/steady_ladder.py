"""The race of a steady search, which promotes candidates while others still run."""

import bisect
from itertools import islice

from kdzero_gp.evaluate.rungs import Ladder
from kdzero_gp.evolve.individual import Individual


class SteadyLadder:
    """Asynchronous successive halving: the best 1/eta of those that finished a rung are promoted at once.

    Source: Li et al., A System for Massively Parallel Hyperparameter Tuning (MLSys 2020), algorithm 2.

    Args:
        population: candidates that a generation would let enter.
        generations: generations that there would be. No rung takes more candidates than the races of so many
            generations would send there.
    """

    def __init__(self, ladder: Ladder, population: int, generations: int) -> None:
        self.ladder = ladder
        self.room = [population * generations]
        for _ in ladder.ends[1:]:
            population = ladder.promoted(population)
            self.room.append(population * generations)
        self._finished: list[list[Individual]] = [[] for _ in ladder.ends]
        self._promoted: list[set[int]] = [set() for _ in ladder.ends]

    def add(self, individual: Individual) -> None:
        """Takes an individual that finished its rung with success."""
        bisect.insort(self._finished[individual.rung], individual, key=_order)

    def promote(self, most: int) -> tuple[int, tuple[int, ...]] | None:
        """Promotes candidates of the highest rung that has some to promote.

        Args:
            most: candidates at most.

        Returns:
            The rung that they go on to, and their numbers; None where no rung has any.
        """
        for rung in reversed(range(self.ladder.last)):
            if chosen := self._choose(rung, len(self._finished[rung]) // self.ladder.eta, most):
                return rung + 1, chosen
        return None

    def promote_last(self, most: int) -> tuple[int, tuple[int, ...]] | None:
        """Promotes as `promote` does, but rounds up, so that a candidate reaches the last rung in the end."""
        for rung in range(self.ladder.last):
            if chosen := self._choose(rung, self.ladder.promoted(len(self._finished[rung])), most):
                return rung + 1, chosen
        return None

    def _choose(self, rung: int, count: int, most: int) -> tuple[int, ...]:
        promoted = self._promoted[rung]
        best = (individual.proposal.number for individual in self._finished[rung][:count])
        room = min(most, self.room[rung + 1] - len(promoted))
        chosen = tuple(islice((number for number in best if number not in promoted), room))
        promoted.update(chosen)
        return chosen


def _order(individual: Individual) -> tuple[float, int, int]:
    return individual.value, individual.tree.size, individual.proposal.number
