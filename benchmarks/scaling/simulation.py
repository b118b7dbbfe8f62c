"""How busy 1 to 10,000 workers would be: a discrete-event simulation of both modes with measured costs.

One process coordinates: it proposes, stores and hands out one job at a time, and a worker that is done waits for it.
Candidates last as long as measured ones; a screening that turns a candidate down is followed by another candidate. A
worker may die: it is started again, and the job begins anew.
"""

import random
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import simpy

Mode = Literal["steady", "generational"]
PER_WORKER = 8
"""Candidates of a simulated search for each worker, but no fewer than `FEWEST`."""
FEWEST = 400
GENERATIONS = 4
"""Into which a generational search divides them: 2 candidates for each worker in each."""


@dataclass(frozen=True)
class Costs:
    """What one candidate takes, in seconds.

    Attributes:
        screenings, trainings: measured ones, drawn from at random.
        passed: share of candidates that pass the screening.
        coordination: of the coordinating process, per job.
        deaths: of a worker per hour of work.
        restart: until a worker that died is back.
    """

    screenings: Sequence[float]
    trainings: Sequence[float]
    passed: float
    coordination: float
    deaths: float
    restart: float


@dataclass
class _Cluster:
    """Workers and their coordinator at work.

    Attributes:
        worked: seconds of the workers' work that counts.
        free_at: when the coordinator is done with what it was asked so far.
        end: when the last candidate was begun; 0 before.
    """

    costs: Costs
    rng: random.Random
    env: simpy.Environment = field(default_factory=simpy.Environment)
    worked: float = 0.0
    free_at: float = 0.0
    end: float = 0.0

    def job(self, seconds: Sequence[float]) -> Generator[simpy.Event, Any, None]:
        """One job on one worker, from asking the coordinator for it to its end."""
        self.free_at = max(self.env.now, self.free_at) + self.costs.coordination
        yield self.env.timeout(self.free_at - self.env.now)
        duration = self.rng.choice(seconds)
        while (survived := self._survived()) < duration:
            yield self.env.timeout(survived + self.costs.restart)
        yield self.env.timeout(duration)
        self._count(duration)

    def candidate(self) -> Generator[simpy.Event, Any, None]:
        """Screenings until one is passed, then the training."""
        passed = False
        while not passed:
            yield from self.job(self.costs.screenings)
            passed = self.rng.random() < self.costs.passed
        yield from self.job(self.costs.trainings)

    def _survived(self) -> float:
        """Seconds until the worker dies."""
        return 3600 * self.rng.expovariate(self.costs.deaths) if self.costs.deaths else float("inf")

    def _count(self, duration: float) -> None:
        """Counts work until the moment when nothing was left to begin."""
        self.worked += duration if not self.end else max(0.0, duration - (self.env.now - self.end))


def busy_share(mode: Mode, workers: int, costs: Costs, seed: int) -> float:
    """Share of the workers' time that is spent on candidates, until no candidate is left to be begun.

    How unequally the last candidates end is left out: it is the same for every mode, and less the longer a search.
    """
    candidates = max(FEWEST, PER_WORKER * workers)
    cluster = _Cluster(costs, random.Random(seed))
    if mode == "steady":
        _steady(cluster, workers, candidates)
    else:
        _generational(cluster, workers, candidates)
    return cluster.worked / (workers * cluster.end)


def _steady(cluster: _Cluster, workers: int, candidates: int) -> None:
    left = candidates

    def worker() -> Generator[simpy.Event, Any, None]:
        nonlocal left
        while left:
            left -= 1
            if not left:
                cluster.end = cluster.env.now
            yield from cluster.candidate()

    for _ in range(workers):
        cluster.env.process(worker())
    cluster.env.run()


def _generational(cluster: _Cluster, workers: int, candidates: int) -> None:
    """All of a generation are screened, as many again as were turned down, and so on; then all are trained."""
    population = candidates // GENERATIONS

    def some(jobs: int, seconds: Sequence[float], *, last: bool = False) -> Generator[simpy.Event, Any, None]:
        left = jobs

        def worker() -> Generator[simpy.Event, Any, None]:
            nonlocal left
            while left:
                left -= 1
                if last and not left:
                    cluster.end = cluster.env.now
                yield from cluster.job(seconds)

        yield simpy.AllOf(cluster.env, [cluster.env.process(worker()) for _ in range(min(workers, jobs))])

    def search() -> Generator[simpy.Event, Any, None]:
        for generation in range(GENERATIONS):
            missing = population
            while missing:
                yield from some(missing, cluster.costs.screenings)
                missing = sum(cluster.rng.random() >= cluster.costs.passed for _ in range(missing))
            yield from some(population, cluster.costs.trainings, last=generation == GENERATIONS - 1)

    cluster.env.process(search())
    cluster.env.run()
