"""The executors by name, each declared in the file of its class, and what one may need to begin."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kdzero_gp.evaluate.evaluator import Evaluator
from kdzero_gp.execute.deadlines import Deadlines
from kdzero_gp.execute.protocol import Executor
from kdzero_gp.folder_choices import FolderChoices

AUTO = "auto"
"""This process for one worker, worker processes for several."""
FILES = ("inprocess", "processes", "ray")


@dataclass(frozen=True)
class Plan:
    """What an executor is asked for; each takes what concerns it.

    Attributes:
        evaluator: of this process.
        make: makes that of a worker.
        workers: how many there are.
        devices: what workers are dealt in turn, such as `cpu`, or `cuda:0` and `cuda:1`.
        threads: of each worker.
        deadlines: of the jobs.
        address: of a cluster that is there already.
    """

    evaluator: Evaluator
    make: Callable[[], Evaluator]
    workers: int
    devices: Sequence[str]
    threads: int
    deadlines: Deadlines
    address: str | None

    @property
    def on_gpu(self) -> bool:
        """Whether workers compute on GPUs."""
        return any(device.startswith("cuda") for device in self.devices)


Starter = Callable[[Plan], Executor]
EXECUTORS: FolderChoices[Starter] = FolderChoices("--executor", "kdzero_gp.execute", FILES)
"""All executors by the name that `--executor` takes."""


def executor(name: str) -> Callable[[Starter], Starter]:
    """Declares an executor by the function that starts it."""
    return EXECUTORS.declare(name, name, lambda start: start)
