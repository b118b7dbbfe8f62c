"""Statistics of each operation's carriers: how often proposed, trained and inherited, and their fitness."""

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy.stats import t

from kdzero_gp.gallery.chosen import Key
from kdzero_gp.gallery.rows import Recorded, operation_names

LEVEL = 0.95
"""Of the confidence intervals."""
MOST = 200
"""Operations that are counted, the most frequent ones: a text that is no tree may name any number."""
STRUCTURE = frozenset({"add", "weight"})
"""These stand in every distiller and say nothing."""


@dataclass(frozen=True)
class OperationStats:
    """One operation in one arm.

    Attributes:
        proposed: proposals that carry it.
        trained: of these, the ones that passed the examinations and were trained to a fitness.
        parents: of these, the ones that became a parent of another proposal.
        mean, low, high: fitness of its trained carriers with the 95 % confidence interval of the mean (Student's t);
            None where there are too few.
        others: mean fitness of the trained distillers without it.
        shares: by generation, the share of trained distillers that carry it; None where none was trained.
    """

    name: str
    proposed: int
    trained: int
    parents: int
    mean: float | None
    low: float | None
    high: float | None
    others: float | None
    shares: tuple[float | None, ...]


def operation_stats(latest: Mapping[Key, Recorded], arm: str) -> list[OperationStats]:
    """Ranks the operations of an arm by mean fitness; a distiller counts once, at its highest rung."""
    members = [both for (own, _), both in latest.items() if own == arm]
    carried = [operation_names(p.canonical) - STRUCTURE for p, _ in members]
    parents_of_others = {number for p, _ in members for number in p.parents}
    fitness = [e.fitness if e.status == "ok" else None for _, e in members]
    generations = [p.generation for p, _ in members]
    last = max((g for g, f in zip(generations, fitness, strict=True) if f is not None), default=-1)
    trained_in = Counter(g for g, f in zip(generations, fitness, strict=True) if f is not None)
    found = []
    frequent = [name for name, _ in Counter(n for names in carried for n in sorted(names)).most_common(MOST)]
    for name in frequent:
        has = [name in names for names in carried]
        own = [f for f, h in zip(fitness, has, strict=True) if h and f is not None]
        others = [f for f, h in zip(fitness, has, strict=True) if not h and f is not None]
        rows = [p for (p, _), f, h in zip(members, fitness, has, strict=True) if h and f is not None]
        inside = Counter(p.generation for p in rows)
        mean, low, high = mean_interval(own)
        found.append(
            OperationStats(
                name=name,
                proposed=sum(has),
                trained=len(own),
                parents=sum(p.number in parents_of_others for p in rows),
                mean=mean,
                low=low,
                high=high,
                others=statistics.fmean(others) if others else None,
                shares=tuple(inside[g] / trained_in[g] if trained_in[g] else None for g in range(min(last, 1999) + 1)),
            )
        )
    return sorted(found, key=lambda stats: (math.inf if stats.mean is None else stats.mean, stats.name))


def mean_interval(values: Sequence[float]) -> tuple[float | None, float | None, float | None]:
    """Computes the mean and its confidence interval, which needs two values or more."""
    if not values:
        return None, None, None
    mean = statistics.fmean(values)
    if len(values) < 2:
        return mean, None, None
    half = float(t.ppf((1 + LEVEL) / 2, len(values) - 1)) * statistics.stdev(values) / math.sqrt(len(values))
    return mean, mean - half, mean + half
