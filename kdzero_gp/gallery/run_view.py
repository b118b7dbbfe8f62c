"""The gallery's view of a run besides its distillers, read from its store.

A run folder is not trusted: any value may be missing, of another type, or hostile text. What is no finite number
becomes None here, what is text stays text, and the template escapes it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kdzero_gp.distiller.shapes import Shapes
from kdzero_gp.drawing.reading import Reading, readings_from_data
from kdzero_gp.gallery.chosen import Key
from kdzero_gp.gallery.final_table import FinalTable, facts, final_table, kind_in
from kdzero_gp.gallery.rows import Recorded
from kdzero_gp.store import RunStore
from kdzero_gp.tasks.kind import TaskKind
from kdzero_gp.tasks.kinds import kind_of
from kdzero_gp.untrusted import finite_number as finite
from kdzero_gp.untrusted import mapping, printable, sequence

READINGS = "readings"
"""Name of the stored result with what a probe batch showed at the nodes of the best distillers."""

BEST = 12
"""Distillers that count as the best of a run."""

ARMS = ("evolve", "random")
"""The searches of a run that have generations, the main one first where there are both."""


@dataclass(frozen=True)
class Generation:
    """One generation of one arm; fitness as in the run, lower is better.

    Attributes:
        low, high: quartiles.
        diversity: mean Jaccard distance of the population's members.
        avoided: share of the training steps that racing saved.
        seconds: wall-clock time in s.
        funnel: proposals of this generation by what became of them.
        weights: sampling weights below 1, by operation.
    """

    number: int
    best: float | None
    median: float | None
    low: float | None
    high: float | None
    diversity: float | None = None
    avoided: float | None = None
    seconds: float | None = None
    funnel: dict[str, int] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class RunView:
    """The gallery's view of a run, except the drawings.

    Attributes:
        facts: what the run was: pair, data, seed, budget, hardware, versions, date.
        pair: names of teacher and student, None where the configuration does not say.
        finished: whether the run has its final table.
        evaluations: all of them, by arm, number and rung.
        generations, funnel: by arm; arms without any are left out.
        best: the distillers with the lowest fitness among those trained longest.
        winner: the best by full trainings, where the run has come that far.
        kind: of the task.
    """

    name: str
    facts: tuple[tuple[str, str], ...]
    pair: tuple[str | None, str | None]
    finished: bool
    evaluations: tuple[Recorded, ...]
    generations: dict[str, list[Generation]]
    funnel: dict[str, dict[str, int]]
    final: FinalTable | None
    best: tuple[Key, ...]
    winner: Key | None
    shapes: Shapes | None
    readings: dict[str, dict[str, Reading]]
    kind: TaskKind = field(default_factory=kind_of)


def read_run(store: RunStore, *, best: int = BEST) -> RunView:
    """Reads the view of a run; an empty or unfinished run gives a smaller one.

    Raises:
        StoreError: the run cannot be read.
    """
    evaluations = tuple(store.evaluations())
    summary = mapping(store.result("summary"))
    config = store.config
    arms = [arm for arm in ARMS if any(p.arm == arm for p, _ in evaluations) or store.generations(arm)]
    stats = {arm: store.generations(arm) for arm in arms}
    funnels = {arm: _funnel(stats[arm].values()) for arm in arms}
    table = final_table(store.result("final"))
    teacher, student = (config.get(side) for side in ("teacher", "student"))
    readings = mapping(store.result(READINGS))
    return RunView(
        name=printable(store.folder.name, limit=120),
        facts=tuple(facts(summary, config)),
        pair=(teacher if isinstance(teacher, str) else None, student if isinstance(student, str) else None),
        finished=table is not None,
        evaluations=evaluations,
        generations={arm: _generations(stats[arm]) for arm in arms if stats[arm]},
        funnel={arm: funnel for arm, funnel in funnels.items() if funnel},
        final=table,
        best=tuple((p.arm, p.number) for p, _ in _best(evaluations, best)),
        winner=next(filter(None, (_leader(arm, store.result(f"leaders/{arm}")) for arm in ARMS)), None),
        shapes=_shapes(mapping(summary.get("shapes"))),
        readings={str(text): readings_from_data(nodes) for text, nodes in readings.items()},
        kind=kind_in(config),
    )


def _leader(arm: str, stored: Any) -> Key | None:
    """Finds the first of the fully trained leaders."""
    for leader in sequence(stored)[:1]:
        number = mapping(leader).get("number")
        return (arm, number) if isinstance(number, int) else None
    return None


def _shapes(stored: Mapping[str, Any]) -> Shapes | None:
    """Reads the tap shapes of student and teacher; None unless all of them are lists of sizes."""
    sides = []
    for side in ("student", "teacher"):
        taps = {name: tuple(sequence(shape)) for name, shape in mapping(stored.get(side)).items()}
        if not taps or not all(isinstance(size, int) and 0 < size < 1 << 16 for s in taps.values() for size in s):
            return None
        sides.append(taps)
    return sides[0], sides[1]


def _best(evaluations: Sequence[Recorded], count: int) -> Iterator[Recorded]:
    """Finds the best by fitness, one per canonical form, evolved ones where there are any.

    A fitness after more training is better for that alone, so a higher rung of the race comes before a lower one.
    """
    fit = [(p, e) for p, e in evaluations if e.status == "ok" and e.fitness is not None]
    fit = [(p, e) for p, e in fit if p.arm == "evolve"] or fit
    fit.sort(key=lambda both: (-both[0].rung, both[1].fitness, both[0].arm, both[0].number))
    seen: set[str] = set()
    for proposal, evaluation in fit:
        if len(seen) == count:
            return
        if proposal.canonical not in seen:
            seen.add(proposal.canonical)
            yield proposal, evaluation


def _generations(stats: Mapping[int, Mapping[str, Any]]) -> list[Generation]:
    found = []
    for number, values in sorted(stats.items()):
        values = mapping(values)
        quartiles = [finite(q) for q in sequence(values.get("quartiles"))]
        low, high = quartiles if len(quartiles) == 2 else (None, None)
        weights = {str(name): finite(weight) for name, weight in mapping(values.get("weights")).items()}
        found.append(
            Generation(
                number,
                finite(values.get("best")),
                finite(values.get("median")),
                low,
                high,
                diversity=finite(values.get("diversity")),
                avoided=finite(values.get("avoided")),
                seconds=finite(values.get("seconds")),
                funnel=_funnel([values]),
                weights={name: weight for name, weight in weights.items() if weight is not None},
            )
        )
    return found


def _funnel(stats: Any) -> dict[str, int]:
    total: Counter[str] = Counter()
    for values in stats:
        for stage, count in mapping(mapping(values).get("funnel")).items():
            number = finite(count)
            if number is not None and number >= 0:
                total[printable(str(stage), limit=60)] += int(number)
    return dict(sorted(total.items()))
