"""`python -m kdzero_gp.compare`: several distillers and hand-designed methods on one pair, in one table."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from kdzero_gp.console.command import INTERRUPTED, interruptible, make_console, own_output
from kdzero_gp.errors import EXIT_CODE, KdzeroError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
OWN = ("methods", "seeds", "preset", "train_on", "calibrate", "out", "retry_failed", "quiet", "as_json")
"""Options that are no part of the configuration of pair, data and machine."""
METHODS_HELP = (
    "What to compare, by commas: methods (kd, at, sp, rkd, dist, dkd, lskd, fitnet, nst, pkt), none (the student "
    "alone), best.json files and text forms, each with or without LABEL= in front; may be repeated."
)


def option(text: str, *names: str) -> Any:
    """An option whose default stands elsewhere: None here means that the user did not give it."""
    return typer.Option(*names, help=text, show_default=False)


@app.command()
def compare(
    methods: Annotated[list[str], typer.Option(help=METHODS_HELP)],
    seeds: Annotated[int, typer.Option(help="Trainings of each, numbered from 0.")] = 3,
    data: Annotated[str | None, option("Data set: digits (default), cifar100, npz:FILE and others, as in run.")] = None,
    limit: Annotated[int | None, option("Use only the first N training images.")] = None,
    teacher: Annotated[str | None, option("Teacher network (default cnn32), or package.module:factory.")] = None,
    student: Annotated[str | None, option("Student network (default cnn2), or package.module:factory.")] = None,
    teacher_weights: Annotated[str | None, option("Checkpoint of the teacher; else it is trained once.")] = None,
    teacher_input: Annotated[int | None, option("Side that images are resized to for the teacher.")] = None,
    student_input: Annotated[int | None, option("Side that images are resized to for the student.")] = None,
    teacher_norm: Annotated[
        str | None, option("The teacher's normalisation, as in `python -m kdzero_gp.run` (default data).")
    ] = None,
    taps: Annotated[
        list[str] | None, option("Taps by hand, such as stage2=layer2.3 or student:pool=head; may be repeated.")
    ] = None,
    train_on: Annotated[str, typer.Option(help="Images of the training and validation split: all, or train.")] = "all",
    preset: Annotated[str | None, option("Recipe by name; by default the student's published one.")] = None,
    epochs: Annotated[int | None, option("Epochs of every training.")] = None,
    batch_size: Annotated[int | None, option("Images per step.")] = None,
    lr: Annotated[float | None, option("Highest learning rate.")] = None,
    augment: Annotated[str | None, option("none (default on digits), crop-flip (elsewhere) or strong.")] = None,
    views: Annotated[int | None, option("Views of an image that augmentation makes (default: one an epoch).")] = None,
    amp: Annotated[bool | None, option("Students run in bfloat16 under autocast.", "--amp/--no-amp")] = None,
    cache_gb: Annotated[
        float | None, option("GiB for teacher outputs (default 4 without augmentation, else 0: it runs in every step).")
    ] = None,
    calibrate: Annotated[str, typer.Option(help="Of text forms: none, or gradient, as a search does.")] = "none",
    primitives: Annotated[list[str] | None, option("Python file with primitives of your own; may be repeated.")] = None,
    seed: Annotated[int | None, option("What all seeds derive from (default 0).")] = None,
    timeout: Annotated[float | None, option("Seconds that one training may take (default: any).")] = None,
    executor: Annotated[str | None, option("auto (default), inprocess, processes or ray.")] = None,
    ray_address: Annotated[str | None, option("An existing Ray cluster; else one is started here.")] = None,
    fuse: Annotated[
        str | None, option("Students in one program: a number (default 1), or auto (default on a GPU).")
    ] = None,
    workers: Annotated[int | None, option("Worker processes (default: one per core; on a GPU 1).")] = None,
    threads: Annotated[int | None, option("Torch threads of each (default 1).")] = None,
    device: Annotated[str | None, option("cpu (default), cuda, cuda:N or auto.")] = None,
    out: Annotated[Path | None, option("Folder to begin or go on with (default comparisons/DATE_PAIR).")] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Do failed trainings again.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as one JSON object.")] = False,
) -> None:
    """Train one student by several methods and seeds under one recipe, and print the table."""
    given = {name: value for name, value in locals().items() if name not in OWN and value is not None}
    given |= {name: tuple(given[name]) for name in ("primitives", "taps") if name in given}
    own: dict[str, Any] = {"seeds": seeds, "preset": preset, "train_on": train_on, "calibrate": calibrate}
    own["retry_failed"] = retry_failed
    try:
        _compare(methods, own | given, out, quiet=quiet, as_json=as_json)
    except KdzeroError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(EXIT_CODE) from None


def _compare(methods: list[str], options: dict[str, Any], out: Path | None, *, quiet: bool, as_json: bool) -> None:
    from kdzero_gp.comparison import compare as run_comparison
    from kdzero_gp.comparison.report import print_table
    from kdzero_gp.console.comparison_progress import ComparisonProgress

    console = make_console(sys.stderr if as_json else sys.stdout, quiet=quiet)
    with interruptible(), ComparisonProgress(console) as progress, own_output(quiet):
        try:
            found = run_comparison(methods, out=out, follower=progress, **options)
        except KeyboardInterrupt:
            _say_how_to_go_on(progress.folder)
            raise typer.Exit(INTERRUPTED) from None
    if as_json:
        typer.echo((found.folder / "table.json").read_text(encoding="utf-8"))
        return
    print_table(console, found.rows, found.facts)
    console.print(f"table as text, CSV, JSON and plot: {found.folder}", highlight=False, markup=False, soft_wrap=True)


def _say_how_to_go_on(folder: str) -> None:
    if not folder:
        typer.echo("interrupted before anything was trained; nothing was stored", err=True)
    else:
        typer.echo(
            f"interrupted; what was finished is stored. Go on with the same command and --out {shlex.quote(folder)}",
            err=True,
        )


if __name__ == "__main__":
    app()
