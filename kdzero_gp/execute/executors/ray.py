"""Workers on the hosts of a Ray cluster: actors, which live on until they are no longer needed.

Every host must find the same package, data, teacher weights and primitive files at the same paths: on a shared file
system, or in one container image. Without a cluster one is started on this machine, for as long as the executor is
open.
"""

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kdzero_gp.errors import ConfigError
from kdzero_gp.evaluate.evaluator import Evaluator
from kdzero_gp.execute.attempt import Fault, attempt
from kdzero_gp.execute.deadlines import Deadlines
from kdzero_gp.execute.executor import Plan, executor
from kdzero_gp.execute.output import silence_process
from kdzero_gp.execute.pool import Event, Pool
from kdzero_gp.execute.protocol import AnyJob, Result
from kdzero_gp.execute.queued import ATTEMPTS
from kdzero_gp.provenance import ROOT

if TYPE_CHECKING:
    from ray import ObjectRef
    from ray.actor import ActorHandle

OBJECT_STORE = 512 * 2**20
"""Bytes of shared memory that a local cluster gets: jobs and results in flight, of which the largest are states."""


class Ray(Pool):
    """Runs jobs on Ray actors.

    Args:
        workers: how many actors; those that the cluster has no room for wait until it has.
        make_evaluator: a module-level function with picklable arguments bound by `functools.partial`; every actor
            calls it once.
        address: of a running cluster, as `ray.init` takes it: `auto`, `HOST:PORT` or `ray://HOST:PORT`; None starts one
            on this machine. A session that is connected to a cluster already stays with it.
        threads: CPUs of each actor.
        gpus: of each actor, or its share of one; to the actor's evaluator its GPU is `cuda`.
        deadlines: beyond a job's, its actor is killed and the job's candidates have the status `timeout`.
        attempts: at a job whose actor dies, before its candidate is `worker_lost`.

    Raises:
        ConfigError: Ray is not installed, there is no cluster at the address, or it has no room for any actor.
    """

    def __init__(
        self,
        workers: int,
        make_evaluator: Callable[[], Evaluator],
        *,
        address: str | None = None,
        threads: int = 1,
        gpus: float = 0,
        deadlines: Deadlines | None = None,
        attempts: int = ATTEMPTS,
    ) -> None:
        crew = _RayCrew(make_evaluator, workers, address, threads, gpus)
        super().__init__(workers, crew, deadlines, attempts)


@executor("ray", own_options={"ray_address": "names a Ray cluster"})
def start(plan: Plan) -> Ray:
    """Starts actors on a Ray cluster."""
    return Ray(
        plan.workers,
        plan.make,
        address=plan.address,
        threads=plan.threads,
        gpus=int(plan.on_gpu),
        deadlines=plan.deadlines,
    )


class _Host:
    """The actor: a worker process on some host of the cluster."""

    def prepare(self, make_evaluator: Callable[[], Evaluator]) -> str | None:
        """Builds the evaluator; returns why that cannot be done."""
        silence_process()
        try:
            self.evaluator = make_evaluator()
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return None

    def attempt(self, job: AnyJob, free: bool) -> Result | Fault:
        """Runs a job."""
        return attempt(self.evaluator, job, free=free)


class _RayCrew:
    """Actors, each with the reference to the result that it has yet to give."""

    def __init__(
        self, make_evaluator: Callable[[], Evaluator], workers: int, address: str | None, threads: int, gpus: float
    ) -> None:
        self.make_evaluator = make_evaluator
        self.ray = _import_ray()
        self.needs = {"num_cpus": threads, "num_gpus": gpus}
        self._connection = {"address": address} if address else self._local(workers)
        self._own = False
        self._actors: dict[int, ActorHandle[_Host]] = {}
        self._owed: dict[ObjectRef[Any], tuple[int, bool]] = {}
        self._connect()
        self._check_room()

    def start(self, place: int) -> None:
        self._connect()
        environment = {"PYTHONPATH": _import_path(), "OMP_NUM_THREADS": str(self.needs["num_cpus"])}
        remote = self.ray.remote(**self.needs, max_restarts=0, runtime_env={"env_vars": environment})(_Host)
        actor = self._actors[place] = remote.remote()
        self._owed[actor.prepare.remote(self.make_evaluator)] = place, True

    def give(self, place: int, job: AnyJob, *, free: bool) -> None:
        self._owed[self._actors[place].attempt.remote(job, free)] = place, False

    def kill(self, place: int) -> None:
        self._owed = {ref: owed for ref, owed in self._owed.items() if owed[0] != place}
        self.ray.kill(self._actors.pop(place))

    def events(self, seconds: float | None) -> list[Event]:
        refs = list(self._owed)
        first, others = self.ray.wait(refs, timeout=seconds)
        more, _ = self.ray.wait(others, num_returns=len(others), timeout=0) if first and others else ([], [])
        return [self._hear(ref) for ref in [*first, *more]]

    def close(self) -> None:
        for place in list(self._actors) if self.ray.is_initialized() else ():
            self.kill(place)
        self._actors, self._owed = {}, {}
        if self._own:
            self.ray.shutdown()
            self._own = False

    def _hear(self, ref: "ObjectRef[Any]") -> Event:
        place, starting = self._owed.pop(ref)
        try:
            value = self.ray.get(ref)
        except self.ray.exceptions.RayTaskError as error:
            self.kill(place)
            return Event(place, "broken" if starting else "dead", f"{type(error.cause).__name__}: {error.cause}")
        except self.ray.exceptions.RayError as error:
            self.kill(place)
            return Event(place, "dead", f"a Ray actor was lost: {str(error).splitlines()[0]}")
        if not starting:
            return Event(place, "done", value)
        if value is None:
            return Event(place, "ready")
        self.kill(place)
        return Event(place, "broken", value)

    def _local(self, workers: int) -> dict[str, Any]:
        return {
            "address": "local",
            "num_cpus": workers * self.needs["num_cpus"],
            "object_store_memory": OBJECT_STORE,
            "include_dashboard": False,
        }

    def _connect(self) -> None:
        if self.ray.is_initialized():
            return
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nobody is told of a run unasked
        try:
            self.ray.init(**self._connection, log_to_driver=False, logging_level="ERROR")
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise ConfigError(
                f"there is no Ray cluster at {self._connection['address']} ({error}); start one by `ray start --head`, "
                "or leave --ray-address out"
            ) from error
        self._own = True

    def _check_room(self) -> None:
        has = self.ray.cluster_resources()
        for name, resource in (("num_cpus", "CPU"), ("num_gpus", "GPU")):
            if has.get(resource, 0) < self.needs[name]:
                self.close()
                raise ConfigError(
                    f"a worker needs {self.needs[name]:g} {resource}, but the Ray cluster has "
                    f"{has.get(resource, 0):g} in all; add nodes, or ask for less"
                )


def _import_ray() -> Any:
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise ConfigError(
            "the executor is ray, but Ray is not installed; install it by pip install 'kdzero-gp[ray]', or take "
            "--executor processes"
        ) from error
    return ray


def _import_path() -> str:
    """Tells where actors look for modules: first where this process found ours, then in its own places."""
    root = str(ROOT)
    own = [path or os.getcwd() for path in sys.path if not path.startswith((sys.prefix, sys.base_prefix))]
    return os.pathsep.join(dict.fromkeys([root, *own]))
