"""Proposes trees that were not proposed before."""

import random
from collections.abc import Sequence

from kdzero_gp.evolve.individual import Individual
from kdzero_gp.evolve.selection import Selection
from kdzero_gp.evolve.settings import Arm, SearchSettings
from kdzero_gp.grammar.generate import random_tree
from kdzero_gp.grammar.grammar import Grammar
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.grammar.vary import Variation
from kdzero_gp.store.record import Proposal

ATTEMPTS = 200
"""Attempts at one new tree, before the space counts as exhausted."""


class Proposer:
    """Draws new trees at random, or varies the population's, and never proposes one canonical form twice.

    Args:
        selection: chooses the parents.
        seeds: trees that are proposed first.

    Attributes:
        duplicates: proposals avoided so far because their canonical form was known.
    """

    def __init__(
        self, arm: Arm, settings: SearchSettings, grammar: Grammar, selection: Selection, seeds: Sequence[Tree] = ()
    ) -> None:
        self.arm = arm
        self.settings = settings
        self.grammar = grammar
        self.selection = selection
        self.rng = random.Random(f"{settings.seed} {arm}")
        self.duplicates = 0
        self._seeds = list(seeds)
        self._known: set[str] = set()
        self._number = 0

    def propose(self, generation: int, population: Sequence[Individual], weights: dict[str, float]) -> Proposal | None:
        """Proposes a tree with an unknown canonical form; None where none is found, since the space is exhausted."""
        for attempt in range(ATTEMPTS):
            tree, operator, parents = self._draw(population, weights, fresh=attempt > ATTEMPTS // 2)
            if tree is None:
                continue
            if tree.key in self._known and self.settings.deduplicate:
                self.duplicates += 1
                continue
            self._known.add(tree.key)
            proposal = Proposal(
                number=self._number,
                generation=generation,
                arm=self.arm,
                operator=operator,
                parents=tuple(parent.proposal.number for parent in parents),
                tree=str(tree),
                canonical=tree.key,
                rung=0,
                parsed=tree,
            )
            self._number += 1
            return proposal
        return None

    def _draw(
        self, population: Sequence[Individual], weights: dict[str, float], *, fresh: bool
    ) -> tuple[Tree | None, str, tuple[Individual, ...]]:
        """Makes one attempt; returns the tree, its operator and its parents."""
        if self._seeds:
            return self._seeds.pop(0), "seed", ()
        limits = self.settings.limits
        if fresh or self.arm == "random" or not population:
            tree = random_tree(
                self.rng,
                max_depth=limits.max_depth,
                max_size=limits.max_size,
                grammar=self.grammar,
                weights=weights,
            )
            return tree, "random", ()
        variation = Variation(self.grammar, limits, weights)
        operators = self.settings.operators
        operator = self.rng.choices(list(operators), list(operators.values()))[0]
        recombine = variation.recombinations().get(operator)
        if recombine is not None:
            left, right = (self.selection.parent(population, self.rng) for _ in range(2))
            return recombine(self.rng, left.tree, right.tree), operator, (left, right)
        parent = self.selection.parent(population, self.rng)
        return variation.mutations()[operator](self.rng, parent.tree), operator, (parent,)
