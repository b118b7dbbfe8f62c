"""Starts the executor that a configuration names. Importing this file registers all executors."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from kdzero_gp.evaluate.evaluator import Evaluator
from kdzero_gp.execute import inprocess, processes, ray
from kdzero_gp.execute.deadlines import Deadlines
from kdzero_gp.execute.protocol import Executor
from kdzero_gp.execute.registry import DEFAULT_EXECUTOR, EXECUTORS, MachineOptions, Request, executor

REGISTERED = (inprocess, processes, ray)
"""The files that declare executors. A new one is added here."""
Options = TypeVar("Options", bound=MachineOptions)


@executor(DEFAULT_EXECUTOR, "worker processes if there are several workers")
def start_auto(request: Request) -> Executor:
    """This process for one worker, worker processes for several."""
    return EXECUTORS["inprocess" if request.workers == 1 else "processes"].start(request)


def start_executor(
    options: Options,
    evaluator: Evaluator,
    workers: int,
    deadlines: Deadlines,
    make: Callable[[Options], Evaluator],
) -> Executor:
    """Starts this process, worker processes or a Ray cluster as an executor, as the options say.

    Args:
        evaluator: of this process.
        make: how a worker makes its own; a module-level function, or one of `functools.partial`.

    Raises:
        ConfigError: Ray is wanted and not installed, or its cluster is not there.
    """
    worker_device = "cuda" if options.device.startswith("cuda") else options.device
    made = partial(make, options.model_copy(update={"device": worker_device}))
    return EXECUTORS.require(options.executor).start(Request(options, evaluator, workers, deadlines, made))
