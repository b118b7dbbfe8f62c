"""Chooses the distillers of a run that are drawn: winner, front, best, their ancestors, then the others.

Where a run has more than are to be drawn, the page shows the rest by text and formula.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kdzero_gp.errors import ConfigError
from kdzero_gp.gallery.rows import Recorded, outline

MOST = 160
"""Distillers that are drawn at most when a run ends, which must not take long."""
MOST_BROWSED = 2000
"""Distillers that `python -m kdzero_gp.browse` draws at most: more than all of a run of usual size."""

Key = tuple[str, int]
"""Arm and number of a proposal."""


@dataclass(frozen=True)
class Chosen:
    """The chosen distillers of a run.

    Attributes:
        winner: the best of the run, or None where nothing was trained.
        front: fitness against size: no other is better in one and as good in the other; by rising size.
        leading: winner, final table, best and front.
        drawn: all that get a drawing, in order of importance.
    """

    winner: Key | None
    front: tuple[Key, ...]
    leading: frozenset[Key]
    drawn: tuple[Key, ...]


def choose(
    evaluations: Sequence[Recorded],
    best: Iterable[Key],
    *,
    winner: Key | None = None,
    named: Iterable[Key] = (),
    most: int = MOST,
) -> Chosen:
    """Chooses from all evaluations of a run.

    Args:
        best: the leading ones by fitness.
        winner: where the run has decided; otherwise the first of `best`.
        named: others to be drawn, whatever they are worth.
        most: drawings at most.
    """
    latest = latest_by_key(evaluations)
    best = [key for key in best if key in latest]
    winner = winner if winner in latest else next(iter(best), None)
    front = pareto_front(latest)
    leading = dict.fromkeys([*([winner] if winner else []), *(k for k in named if k in latest), *best, *front])
    found = dict.fromkeys(leading)
    for key in [*ancestors(latest, leading), *_by_worth(latest)]:
        found.setdefault(key)
    return Chosen(winner, front, frozenset(leading), tuple(found)[:most])


def parse_key(text: str) -> Key:
    """Reads a distiller's name such as "evolve/303"; a number alone is one of the evolution.

    Raises:
        ConfigError: the text is no such name.
    """
    arm, _, number = text.rpartition("/")
    if not (number.isascii() and number.isdigit()):
        raise ConfigError(f"{text!r} names no distiller; name it by search and number, such as evolve/303")
    return arm or "evolve", int(number)


def latest_by_key(evaluations: Iterable[Recorded]) -> dict[Key, Recorded]:
    """Finds the evaluation of every proposal at its highest rung."""
    return {(p.arm, p.number): (p, e) for p, e in sorted(evaluations, key=lambda both: both[0].rung)}


def ancestors(latest: Mapping[Key, Recorded], of: Iterable[Key]) -> list[Key]:
    """Lists the ancestors of some distillers, the nearest first, in a fixed order."""
    seen = dict.fromkeys(of)
    waiting = deque(seen)
    found: list[Key] = []
    while waiting:
        arm, number = waiting.popleft()
        if (arm, number) not in latest:
            continue
        for parent in latest[arm, number][0].parents:
            key = (arm, parent)
            if key not in seen and key in latest:
                seen[key] = None
                found.append(key)
                waiting.append(key)
    return found


def _by_worth(latest: Mapping[Key, Recorded]) -> list[Key]:
    """Sorts all distillers by rung, then by fitness; those without a training come last."""

    def worth(key: Key) -> tuple[bool, int, float, Key]:
        proposal, evaluation = latest[key]
        if evaluation.status != "ok" or evaluation.fitness is None:
            return True, 0, 0.0, key
        return False, -proposal.rung, evaluation.fitness, key

    return sorted(latest, key=worth)


def pareto_front(latest: Mapping[Key, Recorded]) -> tuple[Key, ...]:
    """Finds the front of fitness against size among those trained longest, by rising size.

    Evolved ones where there are any: the front answers what the search has found.
    """
    trained = [(key, p, e.fitness) for key, (p, e) in latest.items() if e.status == "ok" and e.fitness is not None]
    trained = [entry for entry in trained if entry[0][0] == "evolve"] or trained
    top = max((p.rung for _, p, _ in trained), default=0)
    points = sorted((outline(p.canonical)[0], fitness, p.number, key) for key, p, fitness in trained if p.rung == top)
    front: list[Key] = []
    lowest = float("inf")
    for _, fitness, _, key in points:
        if fitness < lowest:
            lowest = fitness
            front.append(key)
    return tuple(front)
