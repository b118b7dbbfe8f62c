"""Makes the executor that a configuration names."""

from collections.abc import Callable
from functools import partial

import torch

from kdzero_gp.evaluate.evaluator import Evaluator
from kdzero_gp.execute.deadlines import Deadlines
from kdzero_gp.execute.inprocess import InProcess
from kdzero_gp.execute.processes import Processes
from kdzero_gp.execute.protocol import Executor
from kdzero_gp.run.config import RunConfig


def start_executor(
    config: RunConfig,
    evaluator: Evaluator,
    workers: int,
    deadlines: Deadlines,
    make: Callable[[RunConfig], Evaluator],
) -> Executor:
    """This process, worker processes or a Ray cluster, as the configuration says.

    Args:
        evaluator: of this process.
        make: how a worker makes its own; a module-level function, or one of `functools.partial`.

    Raises:
        ConfigError: Ray is wanted and not installed, or its cluster is not there.
    """
    kind = config.executor
    if kind == "auto":
        kind = "inprocess" if workers == 1 else "processes"
    if kind == "inprocess":
        return InProcess(evaluator, deadlines=deadlines)
    on_gpu = torch.device(config.device).type == "cuda"
    # a worker sees one GPU and knows it as the only one
    made = partial(make, config.model_copy(update={"device": "cuda" if on_gpu else config.device}))
    if kind == "processes":
        return Processes(workers, made, devices=_devices(config), threads=config.threads, deadlines=deadlines)
    from kdzero_gp.execute.ray import Ray

    return Ray(workers, made, address=config.ray_address, threads=config.threads, gpus=int(on_gpu), deadlines=deadlines)


def _devices(config: RunConfig) -> list[str]:
    """What worker processes are spread over: the GPU that was named, or all GPUs, or the CPU."""
    device = torch.device(config.device)
    if device.type == "cpu" or device.index is not None:
        return [config.device]
    return [f"cuda:{index}" for index in range(torch.cuda.device_count())]
