"""All trainings of the benchmark: which there are, side by side in processes, and what a folder holds of them."""

import multiprocessing
import statistics
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.published_rank.settings import PUBLISHED, Proxy
from benchmarks.published_rank.table import Outcome, Outcomes
from benchmarks.published_rank.training import Job, Source, outcome


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
