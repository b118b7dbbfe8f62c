"""Does a cheap training rank distillers as the full one does? Rank correlations on the digits pair.

A sample of random distillers that pass the screening, and the student alone, are trained in full with several seeds;
their mean test accuracy is the truth. Then each is trained briefly, and Spearman's correlation of the truth with every
fitness of the brief training is measured, over several proxy seeds.
"""

import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import torch
import typer
from scipy.stats import spearmanr

from benchmarks.result import RESULTS, Claim, Result, Row, Scalar, make_result
from benchmarks.table import report
from kdzero_gp import Distiller, random_tree
from kdzero_gp.evaluate.evaluator import Evaluator
from kdzero_gp.evaluate.fitness import FITNESS, fitness_parts
from kdzero_gp.evaluate.screen import Screening
from kdzero_gp.evaluate.train import DivergedError, distil
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.session.assemble import make_evaluator, make_task
from kdzero_gp.session.config import make_config
from kdzero_gp.tasks.recipe import Recipe

Parts = Mapping[str, float]
EPOCHS = (1, 2, 4, 8, 16)
TARGET = 0.7

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def fitness_functions() -> dict[str, Callable[[Parts, Parts], float]]:
    """Every candidate fitness, lower is better: the parts alone and combined."""
    parts: dict[str, Callable[[Parts, Parts], float]] = {
        "error": lambda own, alone: 1 - own["accuracy"],
        "cross-entropy": lambda own, alone: own["ce"],
        "sharpness gap": lambda own, alone: own["sharpness_gap"],
        "CKA gap": lambda own, alone: own["cka_gap"],
        "all three, each relative": lambda own, alone: sum(
            own[name] / alone[name] for name in ("ce", "sharpness_gap", "cka_gap")
        ),
    }
    return {**parts, **{f"--fitness {name}": function for name, function in FITNESS.items()}}


def sample(evaluator: Evaluator, count: int, seed: int) -> list[tuple[Tree, Screening]]:
    """Random trees that pass the screening, with their calibration."""
    rng = random.Random(seed)
    chosen: list[tuple[Tree, Screening]] = []
    while len(chosen) < count:
        tree = random_tree(rng)
        screening = evaluator.screen(tree)
        if isinstance(screening, Screening):
            chosen.append((tree, screening))
    return chosen


def trained(
    evaluator: Evaluator, candidate: tuple[Tree, Screening] | None, recipe: Recipe, split: str, seed: int
) -> Parts | None:
    """The parts after one training, or None where it diverged."""
    distiller = None
    if candidate is not None:
        distiller = Distiller(candidate[0], calibration=candidate[1].calibration, seed=seed)
    student = evaluator.task.student(seed)
    try:
        distil(evaluator.task, student, distiller, recipe, seed=seed)
    except DivergedError:
        return None
    return fitness_parts(evaluator.task, student, split)


def measure(trees: int, proxy_seeds: Sequence[int], final_seeds: Sequence[int], epochs: Sequence[int]) -> list[Row]:
    """One row for each proxy length and fitness."""
    config = make_config()
    task = make_task(config)
    evaluator = make_evaluator(config, task)
    candidates = [None, *sample(evaluator, trees, seed=0)]
    truth = []
    for candidate in candidates:
        ends = [trained(evaluator, candidate, task.recipe, "test", seed) for seed in final_seeds]
        reached = [end["accuracy"] for end in ends if end is not None]
        truth.append(statistics.fmean(reached) if len(reached) == len(ends) else 0.0)
    rows: list[Row] = []
    for length in epochs:
        recipe = replace(task.recipe, epochs=length)
        runs = [[trained(evaluator, c, recipe, "val", seed) for c in candidates] for seed in proxy_seeds]
        steps = length * recipe.steps_per_epoch(len(task.data.train))
        for name, fitness in fitness_functions().items():
            correlations = [correlation(run, truth, fitness) for run in runs]
            rows.append(
                {
                    "part": "by seed",
                    "proxy epochs": length,
                    "student steps": steps,
                    "share of the full schedule": length / task.recipe.epochs,
                    "fitness": name,
                    "Spearman, mean over seeds": statistics.fmean(correlations),
                    "Spearman by seed": [round(c, 4) for c in correlations],
                }
            )
    return [*summary(rows), *rows]


def summary(rows: Sequence[Row]) -> list[Row]:
    """The mean correlations as a table of fitness by proxy length."""
    table: dict[str, dict[str, Scalar]] = {}
    for row in rows:
        name = str(row["fitness"])
        cells = table.setdefault(name, {"part": "correlations", "fitness": name})
        cells[f"{row['proxy epochs']} epochs"] = round(float(str(row["Spearman, mean over seeds"])), 2)
    return list(table.values())


def correlation(run: Sequence[Parts | None], truth: Sequence[float], fitness: Callable[[Parts, Parts], float]) -> float:
    """Spearman's correlation of a fitness with the truth, + where they agree; a diverged training ranks last."""
    alone = run[0]
    if alone is None:
        raise RuntimeError("the student alone diverged, so nothing can be measured against it")
    values = [fitness(own, alone) if own is not None else float("inf") for own in run]
    return -float(spearmanr(values, truth).statistic)


def claims(rows: Sequence[Row]) -> list[Claim]:
    """The default's fidelity against the target, and against Eq. 2 as printed."""
    config = make_config()
    default = _value(rows, f"--fitness {config.fitness}")
    return [
        Claim.at_least("Spearman correlation of the default proxy with final test accuracy", default, TARGET, ""),
        Claim.at_least(
            "Spearman correlation of the default fitness minus that of Eq. 2 as printed, same proxy",
            default - _value(rows, "--fitness eq2"),
            0.0,
            "",
        ),
    ]


def _value(rows: Sequence[Row], fitness: str) -> float:
    """The correlation at the default proxy length, or at the longest measured."""
    rows = [row for row in rows if row["part"] == "by seed"]
    default = make_task(make_config()).proxy.epochs
    lengths = {int(str(row["proxy epochs"])) for row in rows}
    length = default if default in lengths else max(lengths)
    values = [row for row in rows if row["fitness"] == fitness and row["proxy epochs"] == length]
    return float(str(values[0]["Spearman, mean over seeds"]))


@app.command()
def main(
    trees: Annotated[int, typer.Option(help="Random distillers beside the student alone.")] = 40,
    proxy_seeds: Annotated[int, typer.Option(help="Seeds of each proxy training.")] = 3,
    final_seeds: Annotated[int, typer.Option(help="Seeds of each full training.")] = 6,
    quick: Annotated[bool, typer.Option("--quick", help="A few trees, to see that it works.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Result file, by default benchmarks/results/proxy_rank.json.")
    ] = None,
) -> None:
    """Measure the rank correlation of proxies with full trainings on digits."""
    torch.set_num_threads(1)
    epochs = (1, 2) if quick else EPOCHS
    if quick:
        trees, proxy_seeds, final_seeds = 3, 1, 1
    proxies = [1000 + n for n in range(proxy_seeds)]
    finals = [2000 + n for n in range(final_seeds)]
    rows = measure(trees, proxies, finals, epochs)
    options = {"trees": trees, "proxy_seeds": proxy_seeds, "final_seeds": final_seeds, "quick": quick}
    result: Result = make_result("proxy_rank", options, seeds=[0, *proxies, *finals], rows=rows, claims=claims(rows))
    report(result, out or (None if quick else RESULTS / "proxy_rank.json"))


if __name__ == "__main__":
    app()
