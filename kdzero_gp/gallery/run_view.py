"""What a gallery shows of a run, read from its store and made fit to be shown.

A run folder is not trusted: any value may be missing, of another type, or hostile text. What is no finite number
becomes None here, what is text stays text, and the template escapes it.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kdzero_gp.distiller.export_check import finite_number as finite
from kdzero_gp.distiller.shapes import Shapes
from kdzero_gp.store import Evaluation, Proposal, RunStore

ARMS = {"evolve": "evolution", "random": "random search"}

FUNNEL = {
    "proposed": "proposed",
    "duplicate": "same canonical form as an earlier one",
    "too_expensive": "computes more than --max-work allows",
    "non_finite_loss": "loss not finite",
    "no_gradient": "gradient zero or not finite",
    "not_smaller_when_equal": "not smaller where student = teacher",
    "no_progress": "does not move the student to the teacher",
    "functional_duplicate": "same value and gradient as an earlier one",
    "trained": "trained",
    "rung 1": "of these, on to the second rung",
    "rung 2": "of these, on to the third rung",
    "rung 3": "of these, on to the fourth rung",
    "nan": "of these, diverged",
    "error": "of these, failed",
    "timeout": "of these, took too long",
    "oom": "of these, out of memory",
    "worker_lost": "of these, lost their worker",
}
"""Stages of the funnel in their order, as a reader understands them."""


@dataclass(frozen=True)
class Generation:
    """One generation of one arm; fitness as in the run, lower is better."""

    number: int
    best: float | None
    median: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Row:
    """One row of the final table; accuracies and gain in per cent."""

    name: str
    kind: str
    tree: str | None
    accuracy: tuple[float, ...]
    mean: float | None
    std: float | None
    gain: float | None
    p_value: float | None
    fitness: float | None


@dataclass(frozen=True)
class FinalTable:
    """The final table and what a number in it depends on."""

    rows: tuple[Row, ...]
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class RunView:
    """All that a gallery shows of a run, except the drawings.

    Attributes:
        facts: what the run was: pair, data, seed, budget, hardware, versions, date.
        generations, funnel: by arm; arms without any are left out.
        statuses: by arm, how many evaluations ended in which way.
        best: the distillers with the lowest fitness among those trained longest.
        failures: a few messages of failed candidates.
    """

    name: str
    facts: tuple[tuple[str, str], ...]
    generations: dict[str, list[Generation]]
    funnel: dict[str, dict[str, int]]
    statuses: dict[str, dict[str, int]]
    final: FinalTable | None
    best: tuple[tuple[Proposal, Evaluation], ...]
    failures: tuple[tuple[Proposal, Evaluation], ...]
    shapes: Shapes | None


def read_run(store: RunStore, *, best: int) -> RunView:
    """Reads what is there; an empty or unfinished run gives a view with less in it."""
    evaluations = list(store.evaluations())
    summary = _mapping(store.result("summary"))
    arms = [arm for arm in ARMS if any(p.arm == arm for p, _ in evaluations) or store.generations(arm)]
    stats = {arm: store.generations(arm) for arm in arms}
    statuses = {arm: dict(Counter(str(e.status) for p, e in evaluations if p.arm == arm)) for arm in arms}
    funnels = {arm: _funnel(stats[arm].values()) for arm in arms}
    return RunView(
        name=store.folder.name,
        facts=tuple(_facts(summary, store.config)),
        generations={arm: _generations(stats[arm]) for arm in arms if stats[arm]},
        funnel={arm: funnel for arm, funnel in funnels.items() if funnel},
        statuses={arm: counts for arm, counts in statuses.items() if counts},
        final=_final_table(store.result("final")),
        best=tuple(_best(evaluations, best)),
        failures=tuple([(p, e) for p, e in evaluations if e.error][:5]),
        shapes=_shapes(_mapping(summary.get("shapes"))),
    )


def _shapes(stored: Mapping[str, Any]) -> Shapes | None:
    """The tap shapes of student and teacher, or None unless all of them are lists of sizes."""
    sides = []
    for side in ("student", "teacher"):
        taps = {name: tuple(_sequence(shape)) for name, shape in _mapping(stored.get(side)).items()}
        if not taps or not all(isinstance(size, int) and 0 < size < 1 << 16 for s in taps.values() for size in s):
            return None
        sides.append(taps)
    return sides[0], sides[1]


def _best(evaluations: Sequence[tuple[Proposal, Evaluation]], count: int) -> Iterator[tuple[Proposal, Evaluation]]:
    """The best by fitness, one per canonical form, evolved ones where there are any.

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
        values = _mapping(values)
        quartiles = [finite(q) for q in _sequence(values.get("quartiles"))]
        low, high = quartiles if len(quartiles) == 2 else (None, None)
        found.append(Generation(number, finite(values.get("best")), finite(values.get("median")), low, high))
    return found


def _funnel(stats: Any) -> dict[str, int]:
    total: Counter[str] = Counter()
    for values in stats:
        for stage, count in _mapping(_mapping(values).get("funnel")).items():
            number = finite(count)
            if number is not None and number >= 0:
                total[str(stage)] += int(number)
    known = {stage: total[stage] for stage in FUNNEL if stage in total}
    return known | {stage: total[stage] for stage in sorted(set(total) - set(known))}


def _final_table(value: Any) -> FinalTable | None:
    table = _mapping(value)
    rows = [_row(_mapping(row)) for row in _sequence(table.get("rows"))]
    if not rows:
        return None
    rows.sort(key=lambda row: -math.inf if row.mean is None else row.mean, reverse=True)
    facts = [(key, _text(table[key])) for key in ("split", "seeds", "epochs", "baseline") if key in table]
    return FinalTable(tuple(rows), tuple(facts))


def _row(row: Mapping[str, Any]) -> Row:
    def percent(key: str) -> float | None:
        number = finite(row.get(key))
        return None if number is None else 100 * number

    accuracy = tuple(100 * a for a in map(finite, _sequence(row.get("accuracy"))) if a is not None)
    tree = row.get("tree")
    return Row(
        name=_text(row.get("name", "?")),
        kind=_text(row.get("kind", "")),
        tree=tree if isinstance(tree, str) else None,
        accuracy=accuracy,
        mean=percent("mean"),
        std=percent("std"),
        gain=percent("gain"),
        p_value=finite(row.get("p_value")),
        fitness=finite(row.get("fitness")),
    )


def _facts(summary: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a number of this run depends on: what the summary says, then the configuration for what it leaves out."""
    names = {
        "pair": "teacher → student",
        "data": "data set",
        "seed": "seed",
        "teacher_accuracy": "teacher's accuracy",
        "date": "date",
        "seconds": "duration",
        "hardware": "hardware",
        "versions": "versions",
    }
    for key, name in names.items():
        value = summary.get(key)
        number = finite(value)
        if value is None or value == []:
            continue
        if key == "teacher_accuracy" and number is not None:
            yield name, f"{100 * number:.2f} %"
        elif key == "seconds" and number is not None:
            yield name, f"{number:.0f} s" if number < 120 else f"{number / 60:.1f} min"
        else:
            yield name, _text(value)
    for key, value in config.items():
        if key not in summary and value is not None:
            yield str(key), _text(value)


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_text(item) for item in value)
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _sequence(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()
