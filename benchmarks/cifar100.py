"""CIFAR-100, ResNet-56 to ResNet-20: a search, then its best beside the methods of the field, over fresh seeds.

Two stages, each of which goes on where it stopped: the same command with the same `--keep`. The search may have been
made elsewhere by `python -m kdzero_gp.run` (`--run FOLDER`), and so may trainings of the comparison (`--comparison
FOLDER`). Nothing is chosen by the test split: the search's winners are those of the validation split.
"""

import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks.cifar100_settings import FULL, QUICK, REDUCED, Setting
from benchmarks.cifar100_table import FinishedSearch, claims, method_rows, setting_rows
from benchmarks.published_rank import DATA_HELP, small_data
from benchmarks.result import RESULTS, Result, Scalar, make_result
from benchmarks.table import report
from kdzero_gp import search
from kdzero_gp.comparison import Comparison, compare
from kdzero_gp.console.comparison_progress import ComparisonProgress
from kdzero_gp.console.progress import ConsoleProgress
from kdzero_gp.data import load_dataset
from kdzero_gp.errors import EXIT_CODE, ConfigError, KdzeroError
from kdzero_gp.store.schema import DATABASE_NAME

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def finished_search(folder: Path, setting: Setting, given: Mapping[str, Any], console: Console) -> FinishedSearch:
    """The search in a folder: made, gone on with, or read.

    Args:
        given: data, weights and machine.

    Raises:
        KdzeroError: the folder holds a run of other options, or something else.
    """
    where = "resume" if (folder / DATABASE_NAME).exists() else "run_dir"
    pair = {"teacher": setting.teacher, "student": setting.student}
    options: dict[str, Any] = {**pair, **setting.shared, **setting.search, **given, where: folder}
    with ConsoleProgress(console) as progress:
        search(observer=progress, **options)
    return FinishedSearch.read(folder)


def given_search(folder: Path, setting: Setting) -> FinishedSearch:
    """A run that was made by `python -m kdzero_gp.run`, whatever its size.

    Raises:
        KdzeroError: it is not finished, or of another pair.
    """
    found = FinishedSearch.read(folder)
    for side in ("teacher", "student"):
        wanted = getattr(setting, side)
        if found.config[side] != wanted:
            raise ConfigError(
                f"the run in {folder} has the {side} {found.config[side]}, but this benchmark is about {wanted}; give "
                "a run of that pair"
            )
    return found


def compared(
    folder: Path,
    setting: Setting,
    given: Mapping[str, Any],
    found: FinishedSearch,
    rival: Path | None,
    console: Console,
) -> Comparison:
    """The comparison in a folder: made, added to, or read.

    Raises:
        KdzeroError: the folder holds a comparison under other settings, or something else.
    """
    methods = [*setting.methods, f"evolved={found.best}", *([f"random={rival}"] if rival else [])]
    pair = {"teacher": setting.teacher, "student": setting.student}
    options: dict[str, Any] = {**pair, **setting.shared, **setting.compare, **given}
    with ComparisonProgress(console) as progress:
        return compare(methods, seeds=setting.seeds, out=folder, follower=progress, **options)


def measure(
    setting: Setting,
    given: Mapping[str, Any],
    keep: Path,
    run: Path | None,
    comparison: Path | None,
    options: Mapping[str, Scalar],
    console: Console,
    *,
    name: str = "cifar100",
) -> Result:
    """The whole benchmark, as a result of this name."""
    found = given_search(run, setting) if run else finished_search(keep / "search", setting, given, console)
    rival = found.save_rival(keep / "random.json")
    outcome = compared(comparison or keep / "comparison", setting, given, found, rival, console)
    data = load_dataset(str(given["data"]), limit=setting.shared.get("limit"))
    images = [len(split) for split in (data.train, data.val, data.test)]
    return make_result(
        name,
        options,
        seeds=range(setting.seeds),
        rows=[*method_rows(outcome), *setting_rows(outcome, found, images)],
        claims=claims(outcome, published=setting.name == "full"),
        device=str(given.get("device", "cpu")),
    )


@app.command()
def main(
    data: Annotated[str | None, typer.Option(help=DATA_HELP)] = None,
    weights: Annotated[str | None, typer.Option(help="Of a ResNet-56 trained on it, as a state dict.")] = None,
    reduced: Annotated[
        bool, typer.Option("--reduced", help="For two CPU cores: 5,000 images, a short schedule (default).")
    ] = False,
    full: Annotated[bool, typer.Option("--full", help="For a GPU: all images, 240 epochs.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Tiny data and networks, to see that it works.")] = False,
    run: Annotated[Path | None, typer.Option(help="A finished run of `python -m kdzero_gp.run` to take.")] = None,
    comparison: Annotated[
        Path | None, typer.Option(help="A folder of `python -m kdzero_gp.compare` to add to.")
    ] = None,
    keep: Annotated[Path | None, typer.Option(help="Folder for both, to go on later; else they are lost.")] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Trainings of each method (default 3).")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Of each training of the comparison.")] = None,
    limit: Annotated[int | None, typer.Option(min=2, help="Training images.")] = None,
    amp: Annotated[
        bool, typer.Option("--amp", help="Students run in bfloat16; on a CPU with AMX it is faster.")
    ] = False,
    workers: Annotated[int | None, typer.Option(help="Worker processes; no result depends on it.")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    out: Annotated[Path | None, typer.Option(help="Result file, by default benchmarks/results/cifar100.json.")] = None,
) -> None:
    """Search on CIFAR-100, and compare what was found with the methods of the field."""
    if full + reduced + quick > 1:
        raise typer.BadParameter("--quick, --reduced and --full exclude one another")
    setting = QUICK if quick else FULL if full else REDUCED
    changed = {"limit": limit} if limit is not None else {}
    setting = replace(
        setting,
        seeds=seeds or setting.seeds,
        compare={**setting.compare, **({"epochs": epochs} if epochs is not None else {})},
        shared={**setting.shared, **changed},
    )
    options: dict[str, Scalar] = {setting.name: True}
    if not quick:
        options |= {"data": "npz:FILE", "weights": "FILE"}
    options |= {"run": "FOLDER" if run else None, "seeds": seeds, "epochs": epochs, "limit": limit, "amp": amp}
    options |= {"workers": workers, "device": device}
    console = Console()
    with ExitStack() as stack:
        temporary = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kdzero-gp-cifar100-")))
        folder = keep or temporary
        folder.mkdir(parents=True, exist_ok=True)
        if quick:
            data = data or small_data(folder / "small.npz")
        elif data is None or weights is None:
            raise typer.BadParameter("--data and --weights are needed; --help says how to make them")
        given: dict[str, Any] = {"data": data, "teacher_weights": weights, "amp": amp, "device": device}
        given |= {"workers": workers} if workers is not None else {}
        try:
            result = measure(setting, given, folder, run, comparison, options, console)
        except KdzeroError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(EXIT_CODE) from None
    report(result, out or (None if quick else RESULTS / "cifar100.json"), console=console)


if __name__ == "__main__":
    app()
