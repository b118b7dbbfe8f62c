"""From finished runs on the digits to one table over the run seeds."""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from scipy.stats import ttest_rel

from benchmarks.harness.result import Claim, Row
from kdzero_gp.errors import StoreError
from kdzero_gp.store import RunStore

CONTENDERS = {
    "student alone": "student alone",
    "KD": "kd",
    "random search best": "random search",
    "evolved best": "evolved 1",
}
"""Row of this table -> row of a run's final table. A search's best is the one of the lowest *validation* fitness."""
SECONDS = 360.0
"""What a default run may take on two cores."""


@dataclass(frozen=True)
class FinishedRun:
    """What one run folder holds.

    Attributes:
        accuracy: by contender, test accuracy in percent of every full training, in the order of the fresh seeds;
            None where a training failed.
        formula, fitness: by contender, where it has one.
        funnel: by arm, how the proposals ended.
        seconds: wall-clock time of the run's last session, which is the whole run if it was not interrupted.
    """

    seed: int
    accuracy: Mapping[str, Sequence[float | None]]
    formula: Mapping[str, str]
    fitness: Mapping[str, float | None]
    funnel: Mapping[str, Counter[str]]
    teacher: float
    seconds: float

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The run in a folder.

        Raises:
            StoreError: the folder holds no run, or one that is not finished.
        """
        with RunStore.read(folder) as store:
            final, summary = store.result("final"), store.result("summary")
            if final is None or summary is None:
                raise StoreError(f"the run in {folder} is not finished; go on with it by --resume {folder}")
            rows: dict[str, dict[str, Any]] = {row["name"]: row for row in final["rows"]}
            found = {name: rows[theirs] for name, theirs in CONTENDERS.items() if theirs in rows}
            return cls(
                seed=summary["seed"],
                accuracy={n: [None if a is None else 100 * a for a in row["accuracy"]] for n, row in found.items()},
                formula={n: row["tree"] for n, row in found.items() if row["tree"] is not None},
                fitness={n: row["fitness"] for n, row in found.items()},
                funnel={arm: _funnel(store, arm) for arm in ("evolve", "random")},
                teacher=100 * summary["teacher_accuracy"],
                seconds=summary["seconds"],
            )

    def mean(self, contender: str) -> float | None:
        """Mean over the trainings that succeeded."""
        reached = [a for a in self.accuracy.get(contender, ()) if a is not None]
        return statistics.fmean(reached) if reached else None


def accuracy_rows(runs: Sequence[FinishedRun]) -> list[Row]:
    """One row per contender: over the run seeds, each run counting by its mean, and over all trainings."""
    return [_accuracy_row(runs, name) for name in CONTENDERS]


def run_rows(runs: Sequence[FinishedRun]) -> list[Row]:
    """One row per run."""
    return [
        {
            "part": "runs",
            "run seed": run.seed,
            **{f"{name} %": run.mean(name) for name in CONTENDERS},
            "validation fitness": run.fitness.get("evolved best"),
            "of random search": run.fitness.get("random search best"),
            "trained": sum(run.funnel[arm]["trained"] for arm in run.funnel),
            "teacher %": run.teacher,
            "seconds": run.seconds,
            "evolved formula": run.formula.get("evolved best"),
        }
        for run in runs
    ]


def funnel_rows(runs: Sequence[FinishedRun]) -> list[Row]:
    """How proposals ended, by arm, over all runs; `proposed` are those whose canonical form was new."""
    rows: list[Row] = []
    for arm in ("evolve", "random"):
        total: Counter[str] = sum((run.funnel[arm] for run in runs), Counter())
        drawn = total["proposed"] + total["duplicate"]
        for end in sorted(set(total) - {"proposed"}):
            share = 100 * total[end] / drawn if drawn else None
            rows.append({"part": "funnel", "arm": arm, "end": end.replace("_", " "), "trees": total[end], "%": share})
    return rows


def claims(runs: Sequence[FinishedRun]) -> list[Claim]:
    """What the default search has to show on the digits."""
    best = "evolved best"
    gains = [
        Claim.at_least(f"{best} over {rival}, mean over run seeds", _mean(gaps(runs, best, rival)), 0.0, "points")
        for rival in ("student alone", "KD", "random search best")
    ]
    tests = [
        Claim.at_most(f"p of {best} against {rival}, paired over run seeds", paired_test(runs, best, rival), 0.05, "")
        for rival in ("student alone", "KD", "random search best")
    ]
    return [*gains, *tests, Claim.at_most("seconds of the longest run", max(r.seconds for r in runs), SECONDS, "s")]


def gaps(runs: Sequence[FinishedRun], one: str, other: str) -> list[float]:
    """Differences of the runs' means, in points, of the runs that have both."""
    pairs = [(run.mean(one), run.mean(other)) for run in runs]
    return [a - b for a, b in pairs if a is not None and b is not None]


def paired_test(runs: Sequence[FinishedRun], one: str, other: str) -> float | None:
    """p of the two-sided paired t-test over the run seeds, None where it is undefined."""
    differences = gaps(runs, one, other)
    if len({round(d, 9) for d in differences}) < 2:
        return None  # without spread among the differences the test is undefined
    return float(ttest_rel(differences, [0.0] * len(differences)).pvalue)


def _accuracy_row(runs: Sequence[FinishedRun], name: str) -> Row:
    means = [mean for run in runs if (mean := run.mean(name)) is not None]
    trainings = [a for run in runs for a in run.accuracy.get(name, ())]
    reached = [a for a in trainings if a is not None]
    return {
        "part": "accuracy",
        "distiller": name,
        "test accuracy %": _mean(means),
        "test accuracy % std": _std(means),
        "all trainings %": _mean(reached),
        "all trainings % std": _std(reached),
        "gain, points": None if name == "student alone" else _mean(gaps(runs, name, "student alone")),
        "over KD, points": None if name == "KD" else _mean(gaps(runs, name, "KD")),
        "p against KD": None if name == "KD" else paired_test(runs, name, "KD"),
        "runs": len(means),
        "trainings": len(trainings),
        "failed": len(trainings) - len(reached),
        "mean of each run": means,
        "every training": trainings,
    }


def _funnel(store: RunStore, arm: str) -> Counter[str]:
    total: Counter[str] = Counter()
    for stats in store.generations(arm).values():
        total.update(stats["funnel"])
    return total


def _mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None


def _std(values: Sequence[float]) -> float | None:
    return statistics.stdev(values) if len(values) > 1 else None
