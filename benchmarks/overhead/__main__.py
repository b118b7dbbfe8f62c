"""What distillation costs beyond the student's own training step, and beside the usual loop of public frameworks.

The floor of a candidate's step is the forward, backward and update of its student. Part one: random distillers that
pass the screening, the teacher's outputs kept; the step of each over the bare cross-entropy step of the same student.
Part two: plain KD against a loop that runs the teacher on every batch and transforms image by image.
"""

import statistics
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from benchmarks.harness.checkout import RESULTS
from benchmarks.harness.result import Claim, Row, Scalar, make_result
from benchmarks.harness.table import report
from benchmarks.overhead.loops import KD, interleaved, own_step, usual_step
from benchmarks.overhead.pair import BATCH, CROP_AND_FLIP, QUICK_PAIR, STUDENT, TEACHER, make_pair, screened_trees
from benchmarks.overhead.parts import step_parts
from kdzero_gp.loops.single import DivergedError
from kdzero_gp.tasks.task import Task

IMAGES = 4 * BATCH
MEDIAN, NINETY, SPEEDUP = 1.15, 1.5, 2.5

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def candidate_rows(task: Task, trees: int, rounds: int, seed: int) -> list[Row]:
    """One row for each tree: its step over the bare step, medians of turns taken one after the other."""
    rows: list[Row] = []
    for tree, screening in screened_trees(task, trees, seed):
        steps = [own_step(task, None), own_step(task, (tree, screening))]
        bare: float | None = None
        own: float | None = None
        with suppress(DivergedError):
            bare, own = (statistics.median(times) for times in interleaved(steps, rounds, task.device))
        rows.append(
            {
                "part": "candidates",
                "tree": str(tree),
                "nodes": len(tree),
                "bare ms": None if bare is None else 1e3 * bare,
                "candidate ms": None if own is None else 1e3 * own,
                "ratio": None if bare is None or own is None else own / bare,
            }
        )
    return rows


def summary_row(rows: Sequence[Row], pair: str, threads: int, weights: Path | None) -> Row:
    """Median and 90th percentile of the ratios."""
    ratios = [float(str(row["ratio"])) for row in rows if row["ratio"] is not None]
    bare = [float(str(row["bare ms"])) for row in rows if row["bare ms"] is not None]
    return {
        "part": "overhead",
        "pair": pair,
        "threads": threads,
        "trees": len(ratios),
        "diverged": len(rows) - len(ratios),
        "bare step ms": statistics.median(bare),
        "median ratio": float(np.median(ratios)),
        "90th percentile": float(np.percentile(ratios, 90)),
        "largest": max(ratios),
        "teacher's weights": "random" if weights is None else weights.name,
    }


def part_rows(task: Task, threads: int, rounds: int, *, compiled: bool) -> list[Row]:
    """What the parts of a step take."""
    parts = step_parts(task, compiled=compiled)
    times = interleaved(list(parts.values()), rounds, task.device)
    return [
        {"part": "parts", "threads": threads, "one batch": name, "ms": 1e3 * statistics.median(taken)}
        for name, taken in zip(parts, times, strict=True)
    ]


def loop_rows(task: Task, threads: Sequence[int], rounds: int) -> list[Row]:
    """The student alone, and plain KD in both loops."""
    names = ("student alone", "this program's KD", "usual loop's KD")
    before = torch.get_num_threads()
    rows: list[Row] = []
    for count in threads:
        torch.set_num_threads(count)
        steps = [own_step(task, None), own_step(task, (KD, None)), usual_step(task)]
        times = [1e3 * statistics.median(taken) for taken in interleaved(steps, rounds, task.device)]
        rows += [
            {
                "part": "loops",
                "threads": count,
                "step": name,
                "ms": taken,
                "over this program's": taken / times[1],
            }
            for name, taken in zip(names, times, strict=True)
        ]
    torch.set_num_threads(before)
    return rows


def claims(overhead: Row, loops: Sequence[Row]) -> list[Claim]:
    """The targets."""
    pair = f"{overhead['pair']}, batch {BATCH}"
    result = [
        Claim.at_most(f"candidate step over bare step, median, {pair}", _number(overhead, "median ratio"), MEDIAN, "×"),
        Claim.at_most(f"the same, 90th percentile, {pair}", _number(overhead, "90th percentile"), NINETY, "×"),
    ]
    for row in loops:
        if str(row["step"]).startswith("usual"):
            what = f"usual loop's step over this program's, plain KD, {row['threads']} threads, {pair}"
            result.append(Claim.at_least(what, _number(row, "over this program's"), SPEEDUP, "×"))
    return result


def _number(row: Row, column: str) -> float:
    return float(str(row[column]))


@app.command()
def main(
    trees: Annotated[int, typer.Option(min=1, help="Random distillers.")] = 50,
    rounds: Annotated[int, typer.Option(min=1, help="Timed steps of each.")] = 4,
    seed: Annotated[int, typer.Option(help="Of the trees.")] = 0,
    weights: Annotated[Path | None, typer.Option(help="The teacher's checkpoint; without one, random weights.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = "cpu",
    threads: Annotated[int, typer.Option(min=1, help="Of the candidates' steps.")] = 1,
    compiled: Annotated[bool, typer.Option("--compiled", help="The student by torch.compile as well.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="A small pair and few trees, to see that it works.")] = False,
    out: Annotated[Path | None, typer.Option(help="Result file, by default benchmarks/results/overhead.json.")] = None,
) -> None:
    """Measure a candidate's step against its floor, and against the usual loop."""
    torch.set_num_threads(threads)
    trees, rounds = (2, 2) if quick else (trees, rounds)
    names = QUICK_PAIR if quick else (TEACHER, STUDENT)
    task = make_pair(IMAGES, weights, device, names=names)
    rows = candidate_rows(task, trees, rounds, seed)
    overhead = summary_row(rows, task.name, threads, weights)
    augmented = make_pair(IMAGES, weights, device, CROP_AND_FLIP, names)
    parts = part_rows(augmented, threads, 2 * rounds, compiled=compiled)
    loops = loop_rows(augmented, (1,) if quick else (1, 2), 2 * rounds)
    options: dict[str, Scalar] = {
        "trees": trees,
        "rounds": rounds,
        "seed": seed,
        "threads": threads,
        "device": device,
        "compiled": compiled,
        "quick": quick,
    }
    result = make_result(
        "overhead",
        options | {"weights": None if weights is None else weights.name},
        seeds=[seed],
        rows=[overhead, *loops, *parts, *rows],
        claims=claims(overhead, loops),
        device=device,
    )
    report(result, out or (None if quick else RESULTS / "overhead.json"))


if __name__ == "__main__":
    app()
