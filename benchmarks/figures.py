"""The paper's figures, from nothing: students and teachers are trained, compared and drawn.

Training curves, penultimate features, correlations of class scores and Grad-CAM++ are of students of one teacher,
trained without the validation images; gains are of comparisons under three teachers, on all training images. Stopped at
any moment, the same command with the same `--keep` goes on. With `--setting cifar100` the smaller teachers are trained
first. Nothing is chosen by the test split.
"""

import importlib.util
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from benchmarks.cifar100_command import TESTED_DATA_HELP, Amp, Device, Workers
from benchmarks.figures_comparisons import begin_with, compared, evolved_file
from benchmarks.figures_settings import EVOLVED, Plan, Teacher, cifar100, digits, quick
from benchmarks.figures_table import comparison_rows, figure_rows, setting_rows, training_rows
from benchmarks.figures_trainings import Job, carry_out, student_jobs, teacher_jobs, with_weights
from benchmarks.published_rank import small_data
from benchmarks.result import RESULTS, ROOT, Result, Scalar, make_result
from benchmarks.table import report
from kdzero_gp.catalog.named import is_file_name
from kdzero_gp.comparison import Comparison
from kdzero_gp.distiller.export import load
from kdzero_gp.errors import EXIT_CODE, ConfigError, KdzeroError
from kdzero_gp.figures import (
    Written,
    added_figure,
    cam_figure,
    capacity_figure,
    correlation_figure,
    curves_figure,
    tsne_figure,
)
from kdzero_gp.session.config import make_config
from kdzero_gp.session.worker_count import worker_count

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


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


def planned(
    setting: Literal["digits", "cifar100"],
    data: str | None,
    weights: str | None,
    small: str | None,
    teacher_images: int,
    teacher_epochs: int,
) -> Plan:
    """The setting as it stands.

    Args:
        small: data for a quick one.

    Raises:
        BadParameter: data or weights are missing, or of no use.
    """
    if small is not None:
        return quick("figures" if setting == "digits" else "figures_cifar100", small)
    if setting == "digits":
        if data is not None or weights is not None:
            raise typer.BadParameter("--data and --weights are of --setting cifar100; the digits need none")
        return digits()
    if data is None or weights is None:
        raise typer.BadParameter("--data and --weights are needed; --help says how to make them")
    return cifar100(data, weights, teacher_images=teacher_images, teacher_epochs=teacher_epochs)


@app.command()
def main(
    setting: Annotated[Literal["digits", "cifar100"], typer.Option(help="What the figures are of.")] = "digits",
    data: Annotated[str | None, typer.Option(help=f"Of cifar100: {TESTED_DATA_HELP}")] = None,
    weights: Annotated[str | None, typer.Option(help="Of a ResNet-56 trained on it, as a state dict.")] = None,
    distiller: Annotated[
        str | None,
        typer.Option(help="The evolved one: a best.json, or a text form (default: that of the setting's result file)."),
    ] = None,
    earlier: Annotated[
        Path | None,
        typer.Option("--compared", help="A comparison of this recipe and ResNet-56, whose trainings are taken."),
    ] = None,
    teacher_images: Annotated[int, typer.Option(min=2, help="By which smaller teachers are trained.")] = 20_000,
    teacher_epochs: Annotated[int, typer.Option(min=1, help="Of these trainings.")] = 15,
    keep: Annotated[Path | None, typer.Option(help="Folder of everything trained, to go on later.")] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Of each training (default: digits 3, cifar100 1).")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Of every student.")] = None,
    limit: Annotated[int | None, typer.Option(min=2, help="Training images of every student.")] = None,
    amp: Amp = False,
    workers: Workers = None,
    device: Device = "cpu",
    small: Annotated[bool, typer.Option("--quick", help="Tiny data and networks, to see that it works.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the figures (default benchmarks/results/figures).")
    ] = None,
    result: Annotated[
        Path | None, typer.Option(help="Result file (default: by the setting, in benchmarks/results).")
    ] = None,
) -> None:
    """Train, compare and draw."""
    console = Console()
    with ExitStack() as stack:
        folder = keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kdzero-gp-figures-")))
        folder.mkdir(parents=True, exist_ok=True)
        stripes = (data or small_data(folder / "small.npz")) if small else None
        plan = planned(setting, data, weights, stripes, teacher_images, teacher_epochs)
        changed = {name: value for name, value in (("epochs", epochs), ("limit", limit)) if value is not None}
        plan = replace(
            plan,
            seeds=seeds or plan.seeds,
            distiller=distiller or plan.distiller,
            recipe={**plan.recipe, **changed},
        )
        own = {"teacher_images": teacher_images, "teacher_epochs": teacher_epochs} if setting == "cifar100" else {}
        files = {"data": "npz:FILE", "weights": "FILE"} if setting == "cifar100" else {}
        options: dict[str, Scalar] = {"quick": True} if small else {**files, **own}
        options |= {"distiller": distiller and _said(distiller), "compared": earlier and "FOLDER", "seeds": seeds}
        options |= {"epochs": epochs, "limit": limit, "amp": amp, "workers": workers, "device": device}
        default = folder / "figures" if small else RESULTS / "figures" / ("" if setting == "digits" else setting)
        try:
            _require_cam()
            count = worker_count(make_config(workers=workers, device=device), own_task=False)
            machine = {"amp": amp, "device": device}
            found = measure(plan, folder, out or default, earlier, machine, count, options, console)
        except KdzeroError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(EXIT_CODE) from None
        report(found, result or (None if small else RESULTS / f"{plan.name}.json"), console=console)


def _said(distiller: str) -> str:
    return "FILE" if is_file_name(distiller) else shlex.quote(distiller)


def _require_cam() -> None:
    if importlib.util.find_spec("pytorch_grad_cam") is None:
        raise ConfigError("the last figure needs the package grad-cam, which is not installed: pip install grad-cam")


if __name__ == "__main__":
    app()
