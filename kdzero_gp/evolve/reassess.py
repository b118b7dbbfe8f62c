"""Ranks an arm's best anew by full trainings with fresh seeds, measured on the validation split.

The best of hundreds of noisy short trainings is partly the luckiest. So the leaders of an arm are trained in full with
seeds they have not seen, and ranked by what they reach then. The test split plays no part in it.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from kdzero_gp.evaluate.base import Base
from kdzero_gp.evaluate.candidate import Candidate, FullTraining
from kdzero_gp.evolve.full_trainings import ALONE, run_full_trainings
from kdzero_gp.evolve.individual import Individual
from kdzero_gp.execute.protocol import Executor
from kdzero_gp.store import RunStore

Fitness = Callable[[Mapping[str, float], Mapping[str, float]], float]


def reassess(
    arm: str,
    individuals: Sequence[Individual],
    count: int,
    seeds: int,
    executor: Executor,
    store: RunStore,
    fitness: Fitness,
    *,
    base: Base | None = None,
    done: Callable[[str, int], None],
) -> list[Individual]:
    """Ranks the best of an arm by full trainings; those that failed are left out.

    Args:
        individuals: best first by the search.
        count: how many are trained again.
        seeds: full trainings of each; 0 leaves the order as it is.
        fitness: of the mean parts over the seeds, and of the student alone's.
        base: what their trees are added to.

    Returns:
        The individuals, best first, each with its `full_fitness`; without trainings that is the search's fitness.
    """
    leaders = individuals[:count]
    if seeds == 0:
        return [replace(leader, full_fitness=leader.value) for leader in leaders]
    names = {f"{arm} {leader.proposal.number}": leader for leader in leaders}
    candidates = {name: Candidate(str(leader.tree), leader.evaluation.calibration) for name, leader in names.items()}
    if base is not None:
        candidates = {name: base.plus(candidate) for name, candidate in candidates.items()}
    results = run_full_trainings({ALONE: Candidate(None)} | candidates, seeds, "val", executor, store, done=done)
    reference = _mean_parts(results[ALONE])
    ranked = sorted(
        (fitness(parts, reference), leader.proposal.number, leader)
        for name, leader in names.items()
        if reference is not None and (parts := _mean_parts(results[name])) is not None
    )
    record = [{"number": number, "fitness": reached} for reached, number, _ in ranked]
    store.put_result(f"leaders/{arm}", record)
    return [replace(leader, full_fitness=reached) for reached, _, leader in ranked]


def _mean_parts(results: Sequence[FullTraining]) -> dict[str, float] | None:
    """Computes the mean of every part over the seeds; None if a training failed."""
    measured = [result.parts for result in results]
    if not all(measured):
        return None
    return {name: statistics.fmean(parts[name] for parts in measured if parts) for name in measured[0] or ()}
