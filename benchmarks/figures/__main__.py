"""The paper's figures, from nothing: students and teachers are trained, compared and drawn.

Training curves, penultimate features, correlations of class scores and Grad-CAM++ are of students of one teacher,
trained without the validation images; gains are of comparisons under three teachers, on all training images. Stopped at
any moment, the same command with the same `--keep` goes on. With `--setting cifar100` the smaller teachers are trained
first. Nothing is chosen by the test split.
"""

import importlib.util
import shlex
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from benchmarks.cifar100.command import TESTED_DATA_HELP, Amp, Device, Workers
from benchmarks.figures.settings import Plan, cifar100, digits, quick
from benchmarks.figures.stages import measure
from benchmarks.harness.checkout import RESULTS
from benchmarks.harness.cifar100_file import small_data
from benchmarks.harness.result import Scalar
from benchmarks.harness.table import report
from kdzero_gp.errors import EXIT_CODE, ConfigError, KdzeroError
from kdzero_gp.execute.worker_count import worker_count
from kdzero_gp.methods.named import is_file_name
from kdzero_gp.run.config import make_config

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


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
        options |= {
            "distiller": distiller and _said(distiller),
            "compared": "FOLDER" if earlier else None,
            "seeds": seeds,
        }
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
