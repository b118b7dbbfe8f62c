"""Makes the executor that a configuration names."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import torch

from kdzero_gp.evaluate.evaluator import Evaluator
from kdzero_gp.execute.config import ExecutorConfig
from kdzero_gp.execute.deadlines import Deadlines
from kdzero_gp.execute.executor import AUTO, EXECUTORS, Plan
from kdzero_gp.execute.protocol import Executor

Config = TypeVar("Config", bound=ExecutorConfig)


def start_executor(
    config: Config,
    evaluator: Evaluator,
    workers: int,
    deadlines: Deadlines,
    make: Callable[[Config], Evaluator],
) -> Executor:
    """Starts this process, worker processes or a Ray cluster, as the configuration says.

    Args:
        evaluator: of this process.
        make: how a worker makes its own; a module-level function, or one of `functools.partial`.

    Raises:
        ConfigError: Ray is wanted and not installed, or its cluster is not there.
    """
    name = config.executor
    if name == AUTO:
        name = "inprocess" if workers == 1 else "processes"
    on_gpu = torch.device(config.device).type == "cuda"
    # a worker sees one GPU and knows it as the only one
    made = partial(make, config.model_copy(update={"device": "cuda" if on_gpu else config.device}))
    plan = Plan(evaluator, made, workers, _devices(config), config.threads, deadlines, config.ray_address)
    return EXECUTORS.require(name).start(plan)


def _devices(config: ExecutorConfig) -> list[str]:
    """Lists what workers are spread over: the GPU that was named, or all GPUs, or the CPU."""
    device = torch.device(config.device)
    if device.type == "cpu" or device.index is not None:
        return [config.device]
    return [f"cuda:{index}" for index in range(torch.cuda.device_count())]
