"""`python -m kdzero_gp.plot FIGURE`: the paper's figures for any pair, from comparisons and final trainings."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kdzero_gp.console.command import make_console, own_output
from kdzero_gp.console.options import Device, MovedData, MovedWeights, OwnStudent, OwnTeacher, Quiet, StoredThreads
from kdzero_gp.errors import EXIT_CODE, KdzeroError

if TYPE_CHECKING:
    from kdzero_gp.plot.files import Written

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)

Comparisons = Annotated[list[str], typer.Argument(help="Folders of python -m kdzero_gp.compare.", show_default=False)]
TrainingList = Annotated[
    list[str],
    typer.Argument(help="Folders of python -m kdzero_gp.train, each with or without LABEL= in front."),
]
Out = Annotated[Path, typer.Option(help="Folder of the three files.")]
Name = Annotated[str | None, typer.Option(help="Their name without ending (default: the figure's).")]
Evolved = Annotated[str | None, typer.Option(help="Label of the evolved distiller (default: the only file).")]
Methods = Annotated[str | None, typer.Option(help="Labels to show, by commas (default: all that can be).")]
OUT = Path("figures")


@app.callback()
def plot() -> None:
    """Draw the paper's figures: NAME.svg, NAME.png and the numbers behind them in NAME.csv."""


@app.command()
def capacity(
    comparisons: Comparisons,
    added: Annotated[bool, typer.Option("--added", help="Methods alone and with the evolved one added.")] = False,
    evolved: Evolved = None,
    methods: Methods = None,
    out: Out = OUT,
    name: Name = None,
    quiet: Quiet = False,
) -> None:
    """Gains of one student under several teachers; with --added, of methods without and with the evolved distiller."""
    labels = tuple(label.strip() for label in (methods or "").split(",") if label.strip())
    chosen = {"out": out, "name": name, "evolved": evolved, "methods": labels}
    _draw("added_figure" if added else "capacity_figure", comparisons, chosen, quiet)


@app.command()
def curves(trainings: TrainingList, out: Out = OUT, name: Name = None, quiet: Quiet = False) -> None:
    """Training curves; folders of one label are seeds of one method."""
    _draw("curves_figure", trainings, {"out": out, "name": name}, quiet)


@app.command()
def tsne(
    trainings: TrainingList,
    images: Annotated[int, typer.Option(help="Test images at most.")] = 500,
    classes: Annotated[int, typer.Option(help="Classes at most, up to 10.")] = 10,
    seed: Annotated[int, typer.Option(help="Of the layout.")] = 0,
    teacher: OwnTeacher = None,
    student: OwnStudent = None,
    teacher_weights: MovedWeights = None,
    data: MovedData = None,
    device: Device = None,
    threads: StoredThreads = None,
    out: Out = OUT,
    name: Name = None,
    quiet: Quiet = False,
) -> None:
    """Penultimate features of students and teacher in the plane."""
    _draw("tsne_figure", trainings, {k: v for k, v in locals().items() if k not in ("trainings", "quiet")}, quiet)


@app.command()
def correlation(
    trainings: TrainingList,
    teacher: OwnTeacher = None,
    student: OwnStudent = None,
    teacher_weights: MovedWeights = None,
    data: MovedData = None,
    device: Device = None,
    threads: StoredThreads = None,
    out: Out = OUT,
    name: Name = None,
    quiet: Quiet = False,
) -> None:
    """Differences between the teacher's and students' correlations of class scores."""
    chosen = {k: v for k, v in locals().items() if k not in ("trainings", "quiet")}
    _draw("correlation_figure", trainings, chosen, quiet)


@app.command()
def cam(
    trainings: TrainingList,
    images: Annotated[int, typer.Option(help="How many test images.")] = 8,
    number: Annotated[list[int] | None, typer.Option(help="Number of a test image; may be repeated.")] = None,
    stage: Annotated[str | None, typer.Option(help="Feature map to look at (default: each network's last).")] = None,
    teacher: OwnTeacher = None,
    student: OwnStudent = None,
    teacher_weights: MovedWeights = None,
    data: MovedData = None,
    device: Device = None,
    threads: StoredThreads = None,
    out: Out = OUT,
    name: Name = None,
    quiet: Quiet = False,
) -> None:
    """Grad-CAM++ of students and teacher on the same test images."""
    chosen = {k: v for k, v in locals().items() if k not in ("trainings", "quiet")}
    _draw("cam_figure", trainings, chosen | {"number": tuple(number or ())}, quiet)


def _draw(figure: str, folders: Sequence[str], chosen: dict[str, Any], quiet: bool) -> None:
    if chosen["name"] is None:
        chosen.pop("name")
    try:
        with own_output(quiet):
            from kdzero_gp import plot as figures

            make: Callable[..., Written] = getattr(figures, figure)
            written = make(folders, **chosen)
    except KdzeroError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(EXIT_CODE) from None
    console = make_console(sys.stdout, quiet=quiet)
    for path in (written.svg, written.png, written.csv):
        console.print(str(path), highlight=False, markup=False, soft_wrap=True)


if __name__ == "__main__":
    app()
