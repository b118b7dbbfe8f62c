"""Does a cheap training rank distillers as the full one does? Rank correlations on the digits pair.

Random distillers that pass the screening, and the student alone, are trained in full with several seeds; their mean
test accuracy is the truth. Then each is trained briefly, in several ways, and Spearman's correlation of the truth with
every fitness of the brief training is measured, over several seeds. None of these trees was looked at when the default
was chosen. The same for hand-designed methods on CIFAR-100 is `published_rank.py`.
"""

import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import torch
import typer
from scipy.stats import spearmanr

from benchmarks.proxy_fitness import correlations
from benchmarks.proxy_settings import Proxy, outcomes
from benchmarks.result import RESULTS, Claim, Result, Row, Scalar, make_result
from benchmarks.side_by_side import side_by_side
from benchmarks.table import report
from kdzero_gp import random_tree
from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.evaluate.evaluator import Evaluator
from kdzero_gp.evaluate.measure import accuracy
from kdzero_gp.evaluate.rungs import Ladder
from kdzero_gp.evaluate.screen import Screening
from kdzero_gp.evaluate.training import DivergedError, Training
from kdzero_gp.session.assemble import make_evaluator, make_task
from kdzero_gp.session.config import make_config
from kdzero_gp.session.determinism import settle_torch
from kdzero_gp.tasks.task import Task

Parts = Mapping[str, float]
TARGET = 0.7
SHARE = 0.15

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Candidate:
    """A distiller to be trained; without a tree the student alone."""

    tree: str | None
    calibration: tuple[float, ...] = ()


def proxies(full: int, default: Sequence[int], quick: bool) -> list[Proxy]:
    """The settings that are compared.

    Args:
        full: steps of the full schedule.
        default: the ends of the default's rungs.
    """
    if quick:
        return [Proxy("default", tuple(default), "restarts"), Proxy("warm", (3,), warm=3, images=256)]
    short = round(SHARE * full)
    return [
        Proxy("default", tuple(default), "restarts"),
        *(Proxy("annealed", (steps,)) for steps in (full // 16, short, full // 4)),
        Proxy("annealed, half of the images", (short,), images=500),
        Proxy("annealed, warm start", (short,), warm=full // 4),
        Proxy("prefix of the full schedule", (short, full // 4, full // 2), "prefix"),
        Proxy("race over the full length", Ladder.of(full, 3, 3).ends, "restarts"),
        Proxy("the full schedule itself", (full,)),
    ]


def sample(evaluator: Evaluator, count: int, seed: int) -> list[Candidate]:
    """The student alone and random trees that pass the screening, with their calibration."""
    rng = random.Random(seed)
    chosen = [Candidate(None)]
    while len(chosen) <= count:
        tree = random_tree(rng)
        screening = evaluator.screen(tree)
        if isinstance(screening, Screening):
            chosen.append(Candidate(str(tree), screening.calibration))
    return chosen


@lru_cache(maxsize=1)
def _task() -> Task:
    settle_torch(1, "cpu")
    return make_task(make_config())


def truth_of(candidate: Candidate, seeds: Sequence[int]) -> list[float]:
    """Test accuracies of full trainings; 0 for one that diverged."""
    task, found = _task(), []
    for seed in seeds:
        distiller = None
        if candidate.tree is not None:
            distiller = Distiller(candidate.tree, calibration=candidate.calibration, seed=seed)
        training = Training(task, distiller, task.recipe, student_seed=seed, order_seed=seed)
        try:
            training.advance(training.steps)
            found.append(accuracy(task, training.student, "test"))
        except DivergedError:
            found.append(0.0)
    return found


def one_candidate(
    candidate: Candidate, settings: Sequence[Proxy], proxy_seeds: Sequence[int], final_seeds: Sequence[int]
) -> tuple[list[float], dict[tuple[int, int], list[Parts | None]]]:
    """The truth about a candidate, and its parts by (setting, seed)."""
    task = _task()
    parts = {
        (number, seed): outcomes(task, proxy, candidate.tree, candidate.calibration, seed)
        for number, proxy in enumerate(settings)
        for seed in proxy_seeds
    }
    return truth_of(candidate, final_seeds), parts


def measure(
    trees: int, proxy_seeds: Sequence[int], final_seeds: Sequence[int], *, workers: int, quick: bool
) -> list[Row]:
    """One row for each setting, rung and fitness."""
    evaluator = make_evaluator(make_config(), _task())
    full = _task().recipe.steps(len(_task().data.train))
    settings = proxies(full, evaluator.ladder.ends, quick)
    candidates = sample(evaluator, trees, seed=0)
    arguments = [(candidate, settings, proxy_seeds, final_seeds) for candidate in candidates]
    found = side_by_side(one_candidate, arguments, workers)
    accuracies = [each[0] for each in found]
    truth = [statistics.fmean(each) for each in accuracies]
    rows: list[Row] = [_reliability(accuracies)]
    for number, proxy in enumerate(settings):
        for rung, end in enumerate(proxy.ends):
            by_seed = [correlations([each[1][number, seed][rung] for each in found], truth) for seed in proxy_seeds]
            for fitness in by_seed[0]:
                column = [table[fitness] for table in by_seed]
                rows.append(
                    {
                        "part": "by seed",
                        "proxy": proxy.name,
                        "rung": rung,
                        "schedule": proxy.schedule,
                        "images": proxy.images or len(_task().data.train),
                        "warm start": proxy.warm,
                        "student steps": end,
                        "share of the full schedule": round(end / full, 4),
                        "fitness": fitness,
                        "Spearman, mean over seeds": statistics.fmean(column),
                        "Spearman by seed": [round(value, 4) for value in column],
                    }
                )
    return [*summary(rows), *rows]


def _reliability(accuracies: Sequence[Sequence[float]]) -> Row:
    """How well one full training ranks as the mean of the others does: what no proxy of one seed can much exceed."""
    ceilings = []
    for place in range(len(accuracies[0])):
        rest = [[a for other, a in enumerate(each) if other != place] for each in accuracies]
        if rest[0]:
            others = [statistics.fmean(each) for each in rest]
            ceilings.append(float(spearmanr([each[place] for each in accuracies], others).statistic))
    ceiling = statistics.fmean(ceilings) if ceilings else None
    return {"part": "ceiling", "Spearman of one full training's test accuracy with the mean of the others": ceiling}


def summary(rows: Sequence[Row]) -> list[Row]:
    """The mean correlations as a table: a row for each fitness, a column for each setting and its cost."""
    table: dict[str, dict[str, Scalar]] = {}
    for row in rows:
        if row["part"] != "by seed":
            continue
        name = str(row["fitness"])
        cells = table.setdefault(name, {"part": "correlations", "fitness": name})
        cells[f"{row['proxy']} @ {row['student steps']}"] = round(float(str(row["Spearman, mean over seeds"])), 2)
    return list(table.values())


def claims(rows: Sequence[Row]) -> list[Claim]:
    """The default's fidelity and cost against their targets, and against Eq. 2 as printed."""
    config = make_config()
    own = [row for row in rows if row.get("proxy") == "default"]

    def fidelity(fitness: str, rung: int) -> float:
        (row,) = [row for row in own if row["fitness"] == f"--fitness {fitness}" and row["rung"] == rung]
        return float(str(row["Spearman, mean over seeds"]))

    first, last = 0, max(int(str(row["rung"])) for row in own)
    share = min(float(str(row["share of the full schedule"])) for row in own)
    default = fidelity(config.fitness, first)
    higher = [Claim.at_least("the same correlation at the last rung", fidelity(config.fitness, last), TARGET, "")]
    return [
        Claim.at_least(
            "Spearman correlation of the default's first rung with final test accuracy", default, TARGET, ""
        ),
        Claim.at_most("share of the full schedule's steps that it takes", share, SHARE, ""),
        *(higher if last > first else ()),
        Claim.at_least(
            "what the default fitness has more than Eq. 2 as printed, first rung",
            default - fidelity("eq2", first),
            0.0,
            "",
        ),
    ]


@app.command()
def main(
    trees: Annotated[int, typer.Option(help="Random distillers beside the student alone.")] = 40,
    proxy_seeds: Annotated[int, typer.Option(help="Seeds of each proxy training.")] = 3,
    final_seeds: Annotated[int, typer.Option(help="Seeds of each full training.")] = 8,
    workers: Annotated[int, typer.Option(min=1, help="Distillers examined at a time.")] = 2,
    quick: Annotated[bool, typer.Option("--quick", help="A few trees, to see that it works.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Result file, by default benchmarks/results/proxy_rank.json.")
    ] = None,
) -> None:
    """Measure the rank correlation of proxies with full trainings on digits."""
    torch.set_num_threads(1)
    if quick:
        trees, proxy_seeds, final_seeds, workers = 3, 1, 1, 1
    cheap = [1000 + n for n in range(proxy_seeds)]
    finals = [2000 + n for n in range(final_seeds)]
    rows = measure(trees, cheap, finals, workers=workers, quick=quick)
    options = {
        "trees": trees,
        "proxy_seeds": proxy_seeds,
        "final_seeds": final_seeds,
        "workers": workers,
        "quick": quick,
    }
    result: Result = make_result("proxy_rank", options, seeds=[0, *cheap, *finals], rows=rows, claims=claims(rows))
    report(result, out or (None if quick else RESULTS / "proxy_rank.json"))


if __name__ == "__main__":
    app()
