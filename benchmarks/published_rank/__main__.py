"""Does a cheap training rank hand-designed distillers as their published results do? CIFAR-100, ResNet-56 to ResNet-20.

Eleven methods with their published weights are trained briefly in many ways, and judged by every fitness a search might
use; Spearman's correlation with the published order after 240 epochs tells which proxy deserves trust at which cost.
Each finished training is a small file below `--keep`, so the same command goes on where it stopped, and the files of
several machines can be put together.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.harness.checkout import RESULTS
from benchmarks.harness.cifar100_file import DATA_HELP, small_data
from benchmarks.harness.result import Result, Scalar, make_result
from benchmarks.harness.table import report
from benchmarks.published_rank.jobs import measure
from benchmarks.published_rank.settings import PROXIES, Proxy
from benchmarks.published_rank.table import claims, correlation_rows, method_rows
from benchmarks.published_rank.training import Source
from kdzero_gp.tasks.task import CACHE_GB

CHEAPEST = PROXIES[0].name
QUICK: tuple[Proxy, ...] = (
    Proxy("quick", 64, 2, (1, 2)),
    Proxy("quick-warm-aug", 32, 1, (1,), warm=1, views=2),
    PROXIES[-1],
)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def chosen(names: str, proxies: Sequence[Proxy] = PROXIES) -> list[Proxy]:
    """The proxies of a comma-separated list of names; "all" and "" stand for themselves.

    Raises:
        BadParameter: an unknown name.
    """
    known = {proxy.name: proxy for proxy in proxies}
    if names == "all":
        return list(proxies)
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise typer.BadParameter(f"there is no setting {unknown[0]}; known are all, {', '.join(known)}")
    return [known[name] for name in dict.fromkeys(wanted)]


@app.command()
def main(
    data: Annotated[str | None, typer.Option(help=DATA_HELP)] = None,
    weights: Annotated[str | None, typer.Option(help="Of a ResNet-56 trained on it, as a state dict.")] = None,
    settings: Annotated[
        str,
        typer.Option(help=f"Which to run, by name and comma, `all` or nothing: {', '.join(p.name for p in PROXIES)}."),
    ] = CHEAPEST,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each method under each setting.")] = 3,
    keep: Annotated[Path | None, typer.Option(help="Folder for finished trainings, to go on later.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes, one training each at a time.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads of each.")] = 1,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    cache_gb: Annotated[
        float, typer.Option(help="GiB for the teacher's outputs in each process; 0 keeps none.")
    ] = CACHE_GB,
    quick: Annotated[bool, typer.Option("--quick", help="Tiny data and networks, to see that it works.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Result file, by default benchmarks/results/published_rank.json.")
    ] = None,
) -> None:
    """Measure how proxies rank the published methods."""
    options: dict[str, Scalar] = {
        "settings": settings,
        "seeds": seeds,
        "workers": workers,
        "threads": threads,
        "device": device,
    }
    with tempfile.TemporaryDirectory() as temporary:
        folder = keep or Path(temporary)
        if quick:
            seeds, proxies = 1, QUICK
            run = list(QUICK[:-1])
            source = Source(small_data(Path(temporary) / "small.npz"), None, "cnn4", "cnn2", device=device)
        else:
            if data is None or weights is None:
                raise typer.BadParameter("--data and --weights are needed; --help says how to make them")
            run, proxies = chosen(settings), PROXIES
            source = Source(data, weights, device=device, threads=threads, cache_gb=cache_gb)
        numbers = list(range(seeds))
        found = measure(run, proxies, numbers, source, folder, workers)
    rows = correlation_rows(proxies, found)
    measured = sorted({seed for by_seed in found.values() for seed in by_seed})
    files: dict[str, Scalar] = {"data": "npz:FILE", "weights": "FILE"}
    given = {"quick": True} if quick else files | options
    result: Result = make_result(
        "published_rank",
        given,
        seeds=measured or numbers,
        rows=[*rows, *method_rows(proxies, found)],
        claims=claims(rows),
        device=device,
    )
    report(result, out or (None if quick else RESULTS / "published_rank.json"))


if __name__ == "__main__":
    app()
