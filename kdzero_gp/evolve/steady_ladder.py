"""Who is let go on while others still run: the race of a steady search."""

import bisect
from itertools import islice

from kdzero_gp.evaluate.rungs import Ladder
from kdzero_gp.evolve.individual import Individual


class SteadyLadder:
    """Asynchronous successive halving: whoever is in the best 1/eta of those that finished its rung goes on at once.

    Source: Li et al., A System for Massively Parallel Hyperparameter Tuning (MLSys 2020), algorithm 2.

    Args:
        entrants: how many candidates a generation would let enter, and
        generations: how many of them there would be: no rung takes more than a generational race would send there.
    """

    def __init__(self, ladder: Ladder, entrants: int, generations: int) -> None:
        self.ladder = ladder
        self.room = [entrants * generations]
        for _ in ladder.ends[1:]:
            entrants = ladder.promoted(entrants)
            self.room.append(entrants * generations)
        self._finished: list[list[Individual]] = [[] for _ in ladder.ends]
        self._promoted: list[set[int]] = [set() for _ in ladder.ends]

    def add(self, found: Individual) -> None:
        """Takes one that finished its rung with success."""
        bisect.insort(self._finished[found.rung], found, key=_order)

    def promote(self, most: int) -> tuple[int, tuple[int, ...]] | None:
        """The next rung with somebody to go on to it, the highest first, and their numbers; None for nobody."""
        for rung in reversed(range(self.ladder.last)):
            if chosen := self._chosen(rung, len(self._finished[rung]) // self.ladder.eta, most):
                return rung + 1, chosen
        return None

    def promote_last(self, most: int) -> tuple[int, tuple[int, ...]] | None:
        """The same when nothing else is left to do: rounded up, so that somebody reaches the end."""
        for rung in range(self.ladder.last):
            if chosen := self._chosen(rung, self.ladder.promoted(len(self._finished[rung])), most):
                return rung + 1, chosen
        return None

    def _chosen(self, rung: int, count: int, most: int) -> tuple[int, ...]:
        promoted = self._promoted[rung]
        best = (found.proposal.number for found in self._finished[rung][:count])
        room = min(most, self.room[rung + 1] - len(promoted))
        chosen = tuple(islice((number for number in best if number not in promoted), room))
        promoted.update(chosen)
        return chosen


def _order(found: Individual) -> tuple[float, int, int]:
    return found.value, found.tree.size, found.proposal.number
