"""CIFAR-100 across architectures, ResNet-56 to DeiT-Ti: a search, then its best beside methods of the field.

The student sees images enlarged to 64 x 64, the teacher the 32 x 32 that it was trained on. As `benchmarks.cifar100`,
in a setting for two CPU cores; it goes on where it stopped with the same `--keep`.
"""

import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks.cifar100 import measure
from benchmarks.cifar100_settings import DEIT, QUICK
from benchmarks.published_rank import DATA_HELP, small_data
from benchmarks.result import RESULTS
from benchmarks.table import report
from kdzero_gp.errors import EXIT_CODE, KdzeroError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    data: Annotated[str | None, typer.Option(help=DATA_HELP)] = None,
    weights: Annotated[str | None, typer.Option(help="Of a ResNet-56 trained on it, as a state dict.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Tiny data and networks, to see that it works.")] = False,
    keep: Annotated[
        Path | None, typer.Option(help="Folder of both stages, to go on later; else they are lost.")
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Trainings of each method (default 3).")] = None,
    amp: Annotated[bool, typer.Option("--amp", help="Students run in bfloat16.")] = False,
    workers: Annotated[int | None, typer.Option(help="Worker processes; no result depends on it.")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    out: Annotated[Path | None, typer.Option(help="By default benchmarks/results/cifar100_deit.json.")] = None,
) -> None:
    """Search on CIFAR-100 for a transformer student, and compare what was found."""
    setting = QUICK if quick else DEIT
    setting = replace(setting, seeds=seeds or setting.seeds)
    console = Console()
    with ExitStack() as stack:
        folder = keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kdzero-gp-deit-")))
        folder.mkdir(parents=True, exist_ok=True)
        if quick:
            data = data or small_data(folder / "small.npz")
        elif data is None or weights is None:
            raise typer.BadParameter("--data and --weights are needed; --help says how to make them")
        given: dict[str, Any] = {"data": data, "teacher_weights": weights, "amp": amp, "device": device}
        given |= {"workers": workers} if workers is not None else {}
        described = {"quick": quick} if quick else {"data": "npz:FILE", "weights": "FILE"}
        described |= {"seeds": seeds, "amp": amp, "workers": workers, "device": device}
        try:
            result = measure(setting, given, folder, None, None, described, console, name="cifar100_deit")
        except KdzeroError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(EXIT_CODE) from None
    report(result, out or (None if quick else RESULTS / "cifar100_deit.json"), console=console)


if __name__ == "__main__":
    app()
