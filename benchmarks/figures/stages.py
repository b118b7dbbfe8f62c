"""The stages of the figures: trainings, comparisons, drawings, and the result of all."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.figures.comparisons import begin_with, compared, evolved_file
from benchmarks.figures.settings import EVOLVED, Plan, Teacher
from benchmarks.figures.table import comparison_rows, figure_rows, setting_rows, training_rows
from benchmarks.figures.trainings import Job, carry_out, student_jobs, teacher_jobs, with_weights
from benchmarks.harness.checkout import ROOT
from benchmarks.harness.result import Result, Scalar, make_result
from kdzero_gp.compare.comparison import Comparison
from kdzero_gp.export.distiller_file import load
from kdzero_gp.plot.added import added_figure
from kdzero_gp.plot.cam import cam_figure
from kdzero_gp.plot.capacity import capacity_figure
from kdzero_gp.plot.correlation import correlation_figure
from kdzero_gp.plot.curves import curves_figure
from kdzero_gp.plot.embedding import tsne_figure
from kdzero_gp.plot.files import Written


def measure(
    plan: Plan,
    keep: Path,
    out: Path,
    earlier: Path | None,
    machine: Mapping[str, Any],
    workers: int,
    options: Mapping[str, Scalar],
    console: Console,
) -> Result:
    """All trainings, comparisons and figures.

    Args:
        keep: holds the trainings and comparisons.
        out: folder of the figures.
        earlier: a comparison under the first teacher to begin with.
        machine: `device` and `amp`.
        options: what the command was called with.

    Raises:
        KdzeroError: what is wrong with options, data, weights or folders.
    """
    evolved = evolved_file(plan, keep, machine)
    first, *others = plan.teachers
    if earlier is not None:
        begin_with(keep / "comparisons" / first.name, earlier)

    def comparison(teacher: Teacher) -> Comparison:
        return compared(plan, teacher, keep / "comparisons" / teacher.name, evolved, machine, workers, console)

    comparisons = {first.name: comparison(first)}  # before the rest: it tells whether an earlier one is of use
    teachers, students = teacher_jobs(plan, keep, machine), student_jobs(plan, keep, evolved, machine)
    carry_out([*teachers.values(), *students.values()], workers, lambda text: console.print(text, highlight=False))
    for teacher in others:
        known = with_weights(teacher, teachers[teacher.name]) if teacher.name in teachers else teacher
        comparisons[teacher.name] = comparison(known)
    figures = draw(plan, [found.folder for found in comparisons.values()], students, out, machine)
    return make_result(
        plan.name,
        options,
        seeds=range(plan.seeds),
        rows=[
            *setting_rows(comparisons, load(evolved)),
            *comparison_rows(comparisons),
            *training_rows(students, teachers),
            *figure_rows(figures, ROOT),
        ],
        claims=[],
        device=str(machine["device"]),
    )


def draw(
    plan: Plan,
    comparisons: Sequence[Path],
    students: Mapping[tuple[str, int], Job],
    out: Path,
    machine: Mapping[str, Any],
) -> list[Written]:
    """All figures of the setting: as PNG and SVG, and the numbers as CSV.

    Raises:
        KdzeroError: a figure cannot be drawn of these trainings.
    """
    every = [f"{label}={job.folder}" if label == EVOLVED else str(job.folder) for (label, _), job in students.items()]
    ones = [text for text, (_, seed) in zip(every, students, strict=True) if seed == 0]
    device = str(machine["device"])
    return [
        capacity_figure(comparisons, out=out, evolved=EVOLVED),
        added_figure(comparisons, out=out, evolved=EVOLVED),
        curves_figure(every, out=out),
        tsne_figure(ones, out=out, device=device),
        correlation_figure(ones, out=out, device=device),
        cam_figure(ones, out=out, stage=plan.stage, name=f"cam-{plan.stage}" if plan.stage else "cam", device=device),
    ]
