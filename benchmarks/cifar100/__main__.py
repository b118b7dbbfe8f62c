"""CIFAR-100, ResNet-56 to ResNet-20: a search, then its best beside the methods of the field, over fresh seeds.

Two stages, each of which goes on where it stopped: the same command with the same `--keep`. The search may have been
made elsewhere by `python -m kdzero_gp.run` (`--run FOLDER`, again for another run seed), and so may trainings of the
comparison (`--comparison FOLDER`). Nothing is chosen by the test split: the search's winners are those of the
validation split.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.cifar100.command import (
    Also,
    Amp,
    Call,
    Data,
    Device,
    Keep,
    Out,
    Quick,
    Seeds,
    Weights,
    Workers,
    carry_out,
)
from benchmarks.cifar100.settings import FULL, QUICK, REDUCED

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command()
def main(
    data: Data = None,
    weights: Weights = None,
    reduced: Annotated[
        bool, typer.Option("--reduced", help="For two CPU cores: 5,000 images, a short schedule (default).")
    ] = False,
    full: Annotated[bool, typer.Option("--full", help="For a GPU: all images, 240 epochs.")] = False,
    quick: Quick = False,
    run: Annotated[
        list[Path] | None,
        typer.Option(help="A finished run of `python -m kdzero_gp.run` to take; one for each run seed."),
    ] = None,
    comparison: Annotated[
        Path | None, typer.Option(help="A folder of `python -m kdzero_gp.compare` to add to.")
    ] = None,
    keep: Keep = None,
    seeds: Seeds = None,
    also: Also = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Of each training of the comparison.")] = None,
    limit: Annotated[int | None, typer.Option(min=2, help="Training images.")] = None,
    amp: Amp = False,
    workers: Workers = None,
    device: Device = "cpu",
    out: Out = None,
) -> None:
    """Search on CIFAR-100, and compare what was found with the methods of the field."""
    if full + reduced + quick > 1:
        raise typer.BadParameter("--quick, --reduced and --full exclude one another")
    setting = QUICK if quick else FULL if full else REDUCED
    setting = replace(
        setting,
        seeds=seeds or setting.seeds,
        compare={**setting.compare, **({"epochs": epochs} if epochs is not None else {})},
        shared={**setting.shared, **({"limit": limit} if limit is not None else {})},
    )
    described = {
        setting.name: True,
        "run": " --run ".join("FOLDER" for _ in run) if run else None,
        "seeds": seeds,
        "epochs": epochs,
        "limit": limit,
    }
    call = Call(data, weights, keep, amp, workers, device, out, also, tuple(run or ()), comparison)
    carry_out("cifar100", setting, call, described)


if __name__ == "__main__":
    app()
