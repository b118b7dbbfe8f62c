"""What the commands of the CIFAR-100 benchmarks have in common: their options, and everything after reading them."""

import shlex
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks.cifar100.settings import Setting
from benchmarks.cifar100.stages import Folders, measure
from benchmarks.harness.checkout import RESULTS
from benchmarks.harness.cifar100_file import DATA_HELP, small_data
from benchmarks.harness.result import Scalar
from benchmarks.harness.table import report
from kdzero_gp.compare.entries import split_methods
from kdzero_gp.errors import EXIT_CODE, KdzeroError
from kdzero_gp.methods.named import PLUS, is_file_name

TESTED_DATA_HELP = DATA_HELP.replace(", which are not looked at", "")
"""How the data are made, for benchmarks whose tables stand on the test images."""
Data = Annotated[str | None, typer.Option(help=TESTED_DATA_HELP)]
Weights = Annotated[str | None, typer.Option(help="Of a ResNet-56 trained on it, as a state dict.")]
Quick = Annotated[bool, typer.Option("--quick", help="Tiny data and networks, to see that it works.")]
Keep = Annotated[Path | None, typer.Option(help="Folder of both stages, to go on later; else they are lost.")]
Seeds = Annotated[int | None, typer.Option(min=1, help="Trainings of each method (default 3).")]
Also = Annotated[
    str | None,
    typer.Option(
        help="More methods of the comparison, LABEL=EXPR by commas; `evolved` and `random` stand for what was found, "
        "as in 'kd+evolved=kd + evolved'."
    ),
]
Amp = Annotated[bool, typer.Option("--amp", help="Students run in bfloat16; on a CPU with AMX it is faster.")]
Workers = Annotated[int | None, typer.Option(help="Worker processes; no result depends on it.")]
Device = Annotated[str, typer.Option(help="cpu or cuda.")]
Out = Annotated[Path | None, typer.Option(help="Result file, by default benchmarks/results/ and the script's name.")]


@dataclass(frozen=True)
class Call:
    """What the command line says beside the setting."""

    data: str | None
    weights: str | None
    keep: Path | None
    amp: bool
    workers: int | None
    device: str
    out: Path | None
    also: str | None = None
    runs: tuple[Path, ...] = ()
    comparison: Path | None = None


def carry_out(name: str, setting: Setting, call: Call, described: Mapping[str, Scalar]) -> None:
    """Measures, prints and writes; errors end the program as those of the package's commands do.

    Args:
        name: of the script and of the result.
        described: options to report beside those of the call.
    """
    quick, console = setting.name == "quick", Console()
    with ExitStack() as stack:
        keep = call.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kdzero-gp-cifar100-")))
        keep.mkdir(parents=True, exist_ok=True)
        data = call.data or (small_data(keep / "small.npz") if quick else None)
        if data is None or (call.weights is None and not quick):
            raise typer.BadParameter("--data and --weights are needed; --help says how to make them")
        given: dict[str, Any] = {"data": data, "teacher_weights": call.weights, "amp": call.amp, "device": call.device}
        given |= {"workers": call.workers} if call.workers is not None else {}
        options: dict[str, Scalar] = {} if quick else {"data": "npz:FILE", "weights": "FILE"}
        options |= described
        options |= {"also": shown(call.also), "amp": call.amp, "workers": call.workers, "device": call.device}
        try:
            folders = Folders(keep, call.runs, call.comparison)
            result = measure(name, setting, given, folders, call.also, options, console)
        except KdzeroError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(EXIT_CODE) from None
    report(result, call.out or (None if quick else RESULTS / f"{name}.json"), console=console)


def shown(also: str | None) -> str | None:
    """The further methods as a result file names them: quoted, and without the paths of this machine."""
    if also is None:
        return None

    def plain(method: str) -> str:
        label, equals, text = method.rpartition("=")
        return label + equals + PLUS.join("FILE" if is_file_name(part.strip()) else part for part in text.split(PLUS))

    return shlex.quote(",".join(plain(method) for method in split_methods([also])))
