"""The fitnesses that a cheap training can be judged by: its parts alone and combined."""

from collections.abc import Callable, Mapping, Sequence

from scipy.stats import rankdata, spearmanr

from kdzero_gp.evaluate.fitness import FITNESS
from kdzero_gp.tasks.kinds import kind_of

Parts = Mapping[str, float]
Fitness = Callable[[Parts, Parts], float]
RANKED = ("tempered_ce", "cka_gap", "sharpness_gap")


def _relative(*names: str) -> Fitness:
    return lambda own, alone: sum(own[name] / alone[name] for name in names)


ONE_BY_ONE: dict[str, Fitness] = {
    "error": lambda own, alone: 1 - own["accuracy"],
    "cross-entropy": lambda own, alone: own["ce"],
    "tempered cross-entropy": lambda own, alone: own["tempered_ce"],
    "sharpness gap": lambda own, alone: own["sharpness_gap"],
    "CKA gap": lambda own, alone: own["cka_gap"],
    "CE + CKA gap, each relative": _relative("ce", "cka_gap"),
    "tempered CE + CKA gap, each relative": _relative("tempered_ce", "cka_gap"),
    "all three, each relative": _relative("ce", "sharpness_gap", "cka_gap"),
    **{f"--fitness {name}": FITNESS[name] for name in kind_of().fitness},
}
"""Fitness of one candidate's parts and those of the student alone; lower is better."""
BY_RANK = {"tempered CE + CKA gap, by rank": RANKED[:2], "all three, by rank": RANKED}
"""Sums of a candidate's ranks among all that were trained alike."""


def values(run: Sequence[Parts | None]) -> dict[str, list[float]]:
    """Every fitness of every candidate; infinity for one that diverged.

    Args:
        run: parts by candidate, the student alone first.

    Raises:
        RuntimeError: the student alone diverged.
    """
    alone = run[0]
    if alone is None:
        raise RuntimeError("the student alone diverged, so nothing can be measured against it")
    infinite = float("inf")
    table = {
        name: [infinite if own is None else fitness(own, alone) for own in run] for name, fitness in ONE_BY_ONE.items()
    }
    for name, parts in BY_RANK.items():
        columns = [rankdata([infinite if own is None else own[part] for own in run]) for part in parts]
        table[name] = [float(sum(ranks)) for ranks in zip(*columns, strict=True)]
    return table


def correlations(run: Sequence[Parts | None], truth: Sequence[float]) -> dict[str, float]:
    """Spearman's correlation of every fitness with the truth, + where they agree; the diverged rank last.

    A fitness that is the same for all, or a truth that is, agrees with nothing: 0.
    """
    constant = len(set(truth)) == 1
    return {
        name: 0.0 if constant or len(set(column)) == 1 else -float(spearmanr(column, truth).statistic)
        for name, column in values(run).items()
    }
