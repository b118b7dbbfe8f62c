"""The number of processes that trainings are spread over."""

import os
from pathlib import Path

from kdzero_gp.errors import ConfigError
from kdzero_gp.execute.config import ExecutorConfig
from kdzero_gp.grammar.registry import active_registry
from kdzero_gp.provenance import ROOT

MOST = 8
"""Workers that are taken unasked: each holds a copy of the data and of torch."""
BUILT_IN = ("kdzero_gp/", "primitives/")


def worker_count(config: ExecutorConfig, *, own_task: bool) -> int:
    """Tells how many workers there are; 1 stands for this process alone. Results do not depend on it.

    Unasked it is the number of cores on a CPU and 1 on a GPU, which the trainings would only compete for.

    Raises:
        ConfigError: several are wanted, but what the run needs exists in this process alone.
    """
    wanted = config.workers
    if wanted is None:
        alone = config.device != "cpu" or own_task or bool(_declared_here(config))
        return 1 if alone else min(_cores(), MOST)
    if wanted > 1 and own_task:
        raise ConfigError(
            f"workers is {wanted}, but a task of your own cannot travel to worker processes; use workers=1"
        )
    if wanted > 1 and (names := _declared_here(config)):
        raise ConfigError(
            f"workers is {wanted}, but worker processes do not know {', '.join(names)}: declared in this process; "
            "use workers=1, or put the declarations into a file and name it by --primitives"
        )
    return wanted


def _declared_here(config: ExecutorConfig) -> list[str]:
    """Lists operations outside the package's own folder and the run's primitive files."""
    files = {Path(path) for path in config.primitives}
    return [
        name
        for name, operation in active_registry().items()
        if not operation.source.startswith(BUILT_IN) and ROOT / operation.source.rpartition(":")[0] not in files
    ]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
