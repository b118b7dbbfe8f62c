"""Does a cheap training rank hand-designed distillers as their published results do? CIFAR-100, ResNet-56 to ResNet-20.

Eleven methods with their published weights are trained briefly in many ways, and judged by every fitness a search might
use; Spearman's correlation with the published order after 240 epochs tells which proxy deserves trust at which cost.
Each finished training is a small file below `--keep`, so the same command goes on where it stopped, and the files of
several machines can be put together.
"""

import multiprocessing
import statistics
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from benchmarks.published_rank_settings import PROXIES, PUBLISHED, Proxy
from benchmarks.published_rank_table import Outcome, Outcomes, claims, correlation_rows, method_rows
from benchmarks.published_rank_training import Job, Source, outcome
from benchmarks.result import RESULTS, Result, Scalar, make_result
from benchmarks.table import report
from kdzero_gp.tasks.task import CACHE_GB

CHEAPEST = PROXIES[0].name
QUICK: tuple[Proxy, ...] = (
    Proxy("quick", 64, 2, (1, 2)),
    Proxy("quick-warm-aug", 32, 1, (1,), warm=1, views=2),
    PROXIES[-1],
)
DATA_HELP = (
    "npz:FILE with x, uint8 (N, 32, 32, 3), and y, int64 (N,), of CIFAR-100's training images in random order, and the "
    "test images in x_test and y_test, which are not looked at. Out of the Python version of the data set "
    "(https://www.cs.toronto.edu/~kriz/cifar.html), each file a pickled dictionary d: "
    "x = d[b'data'].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), y = np.array(d[b'fine_labels']), "
    "np.savez(FILE, x=x, y=y, x_test=…, y_test=…)."
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


def jobs_of(proxies: Iterable[Proxy], methods: Sequence[str], seeds: Sequence[int]) -> list[Job]:
    """All trainings, whole seeds first: a benchmark that is stopped has something to say."""
    return [Job(proxy, method, seed) for proxy in proxies for seed in seeds for method in methods]


def carried_out(
    jobs: Sequence[Job], source: Source, folder: Path, workers: int
) -> Iterator[tuple[Job, dict[str, Any]]]:
    """Every job with its outcome, as they finish."""
    if workers == 1:
        for job in jobs:
            yield job, outcome(job, source, folder)
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        running = {pool.submit(outcome, job, source, folder): job for job in jobs}
        for done in as_completed(running):
            yield running[done], done.result()


def kept(proxies: Iterable[Proxy], seeds: Sequence[int], source: Source, folder: Path) -> Outcomes:
    """What the folder holds of these seeds; a seed that lacks a method is left out."""
    found: dict[tuple[str, int], dict[int, Outcome]] = {}
    for proxy in proxies:
        for seed in seeds:
            jobs = [Job(proxy, method, seed) for method in PUBLISHED]
            if not all(job.path(folder).is_file() for job in jobs):
                continue
            records = {job.method: outcome(job, source, folder) for job in jobs}
            devices = tuple(sorted({record["device"] for record in records.values()}))
            for place, stop in enumerate(proxy.stops):
                run = {method: record["stops"][place] for method, record in records.items()}
                found.setdefault((proxy.name, stop), {})[seed] = Outcome(run, devices)
    return found


def measure(
    run: Sequence[Proxy], proxies: Sequence[Proxy], seeds: Sequence[int], source: Source, folder: Path, workers: int
) -> Outcomes:
    """Trains what is missing of `run`, and reads all that the folder holds of `proxies`."""
    console = Console(stderr=True)
    jobs = [job for job in jobs_of(run, list(PUBLISHED), seeds) if not job.path(folder).is_file()]
    seconds: list[float] = []
    for number, (job, record) in enumerate(carried_out(jobs, source, folder, workers), 1):
        seconds.append(record["seconds"])
        last = record["stops"][-1]
        text = "diverged" if last is None else f"accuracy {100 * last['accuracy']:.2f} %, CE {last['ce']:.3f}"
        left = statistics.fmean(seconds) * (len(jobs) - number) / workers / 60
        console.print(
            f"{number}/{len(jobs)} {job.proxy.name} {job.method} seed {job.seed}: {text}; {record['seconds']:.0f} s, "
            f"about {left:.0f} min to go",
            highlight=False,
            soft_wrap=True,
        )
    return kept(proxies, seeds, source, folder)


def small_data(path: Path) -> str:
    """A data set of noisy stripes in three classes, for `--quick`."""
    random = np.random.default_rng(0)
    labels = np.arange(240) % 3
    waves = np.sin(np.arange(8)[None, :] * (labels[:, None] + 1))
    images = 128 + 60 * waves[:, :, None, None] + random.normal(0, 30, (240, 8, 8, 3))
    np.savez(path, x=images.clip(0, 255).astype(np.uint8), y=labels.astype(np.int64))
    return f"npz:{path}"


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
