"""Candidates per second by executor and number of workers, and what a dispatch costs."""

import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import partial

from benchmarks.harness.result import Row
from benchmarks.scaling.settings import ALONE, BESIDE_RAY, COST, DISPATCH, RATE, SEARCH, STATE, Size
from benchmarks.scaling.work import Pass, dispatch_seconds, draw, make_costless, run_pass, search_seconds
from kdzero_gp.execute.executors.processes import Processes
from kdzero_gp.execute.executors.ray import Ray
from kdzero_gp.execute.protocol import Executor, ScreenJob
from kdzero_gp.grammar.grammar import default_grammar
from kdzero_gp.run.assemble import make_evaluator, make_grammar, make_worker_evaluator
from kdzero_gp.run.config import RunConfig


def race(part: str, executors: Mapping[str, Executor], trees: Sequence[str], rung: int, rounds: int) -> list[Row]:
    """Candidates per second by executor, the median over rounds in which each has its turn.

    What else the machine does hits all alike so. One round more, before the others, is not counted: in it each worker
    starts, trains the student alone and fills its cache of teacher outputs.
    """
    passes: dict[str, list[Pass]] = {name: [] for name in executors}
    for counted in [False] + [True] * rounds:
        for name, executor in executors.items():
            run = run_pass(executor, trees, rung)
            if counted:
                passes[name].append(run)
    return [
        {
            "part": part,
            "executor": name,
            "workers": executors[name].workers,
            RATE: statistics.median(len(trees) / run.seconds for run in runs),
            "rounds": [len(trees) / run.seconds for run in runs],
            "trainings": [seconds for run in runs for seconds in run.trainings],
            "screenings": [seconds for run in runs for seconds in run.screenings],
            "not ok": sum(status != "ok" for status in runs[0].statuses),
        }
        for name, runs in passes.items()
    ]


def candidate_rows(config: RunConfig, with_ray: bool, size: Size, seed: int) -> tuple[list[Row], float]:
    """One worker process against two, and Ray's actors against as many processes.

    Returns:
        The rows, and the seconds from a worker's start to its first result: what a death costs besides the job.
    """
    evaluator = make_evaluator(config)
    trees = draw(size.candidates, seed, make_grammar(config, evaluator.task))
    rung = evaluator.ladder.last
    make = partial(make_worker_evaluator, config)
    devices = ["cpu"] if config.device == "cpu" else ["cuda:0"]

    def processes(workers: int) -> Processes:
        return Processes(workers, make, devices=devices, threads=config.threads)

    with closing(processes(1)) as one, closing(processes(2)) as two:
        started = time.perf_counter()
        list(one.run([ScreenJob(trees[0])]))
        start = time.perf_counter() - started
        rows = race(ALONE, {"1": one, "2": two}, trees, rung, size.rounds)
    rows = [{**row, "executor": "processes"} for row in rows]
    if with_ray:
        gpus = 0.0 if config.device == "cpu" else 0.5
        with closing(processes(2)) as two, closing(Ray(2, make, threads=config.threads, gpus=gpus)) as ray:
            rows += race(BESIDE_RAY, {"processes": two, "ray": ray}, trees, rung, size.rounds)
    return rows, start


def dispatch_rows(with_ray: bool, size: Size, seed: int) -> list[Row]:
    """Milliseconds per candidate that computes nothing: in and out, and in a steady search with its store."""
    trees = draw(size.jobs, seed, default_grammar())
    rows: list[Row] = []
    make = partial(make_costless, STATE)
    for kind, workers in (*(("processes", count) for count in size.dispatched), *((("ray", 2),) if with_ray else ())):
        with closing(Ray(workers, make) if kind == "ray" else Processes(workers, make)) as executor:
            row: Row = {
                "part": DISPATCH,
                "executor": kind,
                "workers": workers,
                COST: 1000 * dispatch_seconds(executor, trees),
                SEARCH: 1000 * search_seconds(executor, size.jobs, seed),
            }
        rows.append(row)
    return rows
