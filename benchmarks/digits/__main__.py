"""The default search on the digits, over run seeds: what the evolved distiller is worth on the test split.

Stopped at any moment, the same command with the same `--keep` goes on: finished runs are read, an unfinished one is
resumed.
"""

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console

from benchmarks.digits.table import FinishedRun, accuracy_rows, claims, funnel_rows, run_rows
from benchmarks.harness.checkout import RESULTS
from benchmarks.harness.result import Result, make_result
from benchmarks.harness.table import report
from kdzero_gp import search
from kdzero_gp.errors import EXIT_CODE, KdzeroError
from kdzero_gp.run.progress import ConsoleProgress
from kdzero_gp.store.schema import DATABASE_NAME

QUICK = {"pop": 2, "gens": 1, "final_seeds": 2, "epochs": 1, "proxy_epochs": 1}

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Plan:
    """Which runs are made.

    Attributes:
        options: of every run, as for `kdzero_gp.search`.
        workers: worker processes; None leaves the choice to the program. Results do not depend on it.
        folder: holds one run folder per seed.
    """

    folder: Path
    seeds: tuple[int, ...]
    workers: int | None = None
    options: dict[str, int] = field(default_factory=dict)

    def run_folder(self, seed: int) -> Path:
        """Folder of one run."""
        return self.folder / f"seed-{seed}"


def finished_run(plan: Plan, seed: int, console: Console) -> FinishedRun:
    """The run of one seed: read, resumed or made.

    Raises:
        KdzeroError: the folder holds a run of other options, or something else.
    """
    folder = plan.run_folder(seed)
    options: dict[str, Any] = plan.options | {"seed": seed}
    if plan.workers is not None:
        options["workers"] = plan.workers
    # a finished run is resumed too: nothing is done then but to see that its options are these
    options["resume" if (folder / DATABASE_NAME).exists() else "run_dir"] = folder
    with ConsoleProgress(console) as progress:
        search(observer=progress, **options)
    return FinishedRun.read(folder)


def measure(plan: Plan, command: dict[str, str | int | bool | None], console: Console) -> Result:
    """The whole benchmark."""
    runs: list[FinishedRun] = []
    for seed in plan.seeds:
        runs.append(finished_run(plan, seed, console))
        console.print(f"run seed {seed}: {runs[-1].seconds:.0f} s", highlight=False)
    rows = accuracy_rows(runs) + run_rows(runs) + funnel_rows(runs)
    return make_result("digits", command, seeds=plan.seeds, rows=rows, claims=claims(runs))


@app.command()
def main(
    pop: Annotated[int, typer.Option(help="Candidates trained in every generation.")] = 20,
    gens: Annotated[int, typer.Option(help="Generations after the first.")] = 25,
    seeds: Annotated[int, typer.Option(min=1, help="Number of runs: their seeds are 0, 1, 2, …")] = 5,
    final_seeds: Annotated[int, typer.Option(help="Full trainings of every contender in every run.")] = 5,
    workers: Annotated[int | None, typer.Option(help="Worker processes; no result depends on it.")] = None,
    keep: Annotated[Path | None, typer.Option(help="Folder for the runs; without it they are thrown away.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Tiny runs; writes only where --out says.")] = False,
    out: Annotated[Path | None, typer.Option(help="Result file, by default benchmarks/results/digits.json.")] = None,
) -> None:
    """Run the default search on the digits over run seeds."""
    torch.set_num_threads(1)
    console = Console()
    options = QUICK if quick else {"pop": pop, "gens": gens, "final_seeds": final_seeds}
    command: dict[str, str | int | bool | None] = {"quick": True} if quick else dict(options)
    command |= {"seeds": seeds, "workers": workers}
    with ExitStack() as stack:
        folder = keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kdzero-gp-digits-")))
        try:
            result = measure(Plan(folder, tuple(range(seeds)), workers, options), command, console)
        except KdzeroError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(EXIT_CODE) from None
    report(result, out or (None if quick else RESULTS / "digits.json"), console=console)


if __name__ == "__main__":
    app()
