"""`python -m kdzero_gp.train`: the final distillation of one student by one distiller."""

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from kdzero_gp.console.command import INTERRUPTED, interruptible, make_console, own_output
from kdzero_gp.console.options import (
    Amp,
    AsJson,
    Data,
    Device,
    LearningRate,
    Limit,
    Preset,
    Primitives,
    Quiet,
    Student,
    StudentInput,
    Taps,
    TaskName,
    Teacher,
    TeacherInput,
    TeacherNorm,
    TeacherWeights,
    Threads,
    TrainingAugment,
    TrainingCache,
    TrainingViews,
    option,
)
from kdzero_gp.errors import EXIT_CODE, KdzeroError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
DISTILLER_HELP = "A best.json, a text form, the name of a method (kd, at, dist, dkd, …), or none: the student alone."


@app.command()
def train(
    distiller: Annotated[str | None, option(DISTILLER_HELP)] = None,
    task: TaskName = None,
    data: Data = None,
    limit: Limit = None,
    teacher: Teacher = None,
    student: Student = None,
    teacher_weights: TeacherWeights = None,
    teacher_input: TeacherInput = None,
    student_input: StudentInput = None,
    teacher_norm: TeacherNorm = None,
    taps: Taps = None,
    train_on: Annotated[
        str | None, option("all (default): training and validation images; or train, to see validation accuracy.")
    ] = None,
    preset: Preset = None,
    epochs: Annotated[int | None, option("Epochs instead of the recipe's.")] = None,
    batch_size: Annotated[int | None, option("Images per step, over all processes and passes.")] = None,
    lr: LearningRate = None,
    clip: Annotated[float | None, option("Greatest gradient norm of a step.")] = None,
    calibrate: Annotated[
        str | None, option("Of a text form: none (default), or gradient: terms start with CE's gradient norm.")
    ] = None,
    accumulate: Annotated[int | None, option("Forward passes of each step (default 1), for little memory.")] = None,
    augment: TrainingAugment = None,
    views: TrainingViews = None,
    amp: Amp = None,
    cache_gb: TrainingCache = None,
    primitives: Primitives = None,
    seed: Annotated[int | None, option("Of student, batches and distiller (default 0).")] = None,
    threads: Threads = None,
    device: Device = None,
    run_dir: Annotated[Path | None, option("Folder of a new training (default runs/DATE_PAIR).")] = None,
    resume: Annotated[Path | None, option("Folder of a training to go on with.")] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Train one student by one distiller; the accuracy of the last epoch is the result."""
    given = {name: value for name, value in locals().items() if value is not None}
    for name in ("run_dir", "resume", "quiet", "as_json"):
        given.pop(name, None)
    for name in ("primitives", "taps"):
        if name in given:
            given[name] = tuple(given[name])
    try:
        _train(given, run_dir, resume, quiet=quiet, as_json=as_json)
    except KdzeroError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(EXIT_CODE) from None


def _train(options: dict[str, Any], run_dir: Path | None, resume: Path | None, *, quiet: bool, as_json: bool) -> None:
    from kdzero_gp.train.files import CONFIG_NAME, RESULT_NAME, read_json
    from kdzero_gp.train.progress import FitEvents, FitProgress
    from kdzero_gp.train.session import train as run_training

    others = os.environ.get("RANK", "0") != "0"  # torchrun: the first process speaks for all
    console = make_console(sys.stderr if as_json else sys.stdout, quiet=quiet or others)
    with interruptible(), FitProgress(console) as progress, own_output(quiet or others):
        events = FitEvents(progress)
        try:
            result = run_training(run_dir=run_dir, resume=resume, observer=events, **options)
        except KeyboardInterrupt:
            begun = run_dir if run_dir is not None and (run_dir / CONFIG_NAME).exists() else None
            if not others:
                _say_how_to_go_on(progress.folder or resume or begun, progress.stored)
            raise typer.Exit(INTERRUPTED) from None
        finally:
            events.close()
    if others or result.folder is None:
        return
    if as_json:
        typer.echo(json.dumps({"folder": str(result.folder)} | read_json(result.folder / RESULT_NAME)))
        return
    console.print(f"weights and record: {result.folder}", highlight=False, markup=False, soft_wrap=True)


def _say_how_to_go_on(folder: Path | None, epochs: int) -> None:
    if folder is None:
        typer.echo("interrupted before the training began; nothing was stored", err=True)
        return
    typer.echo(
        f"interrupted; the first {epochs} epochs are stored. Go on with: python -m kdzero_gp.train --resume "
        f"{shlex.quote(str(folder))}",
        err=True,
    )


if __name__ == "__main__":
    app()
