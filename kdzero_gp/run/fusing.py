"""How many students of a run are trained in one program: decided once, kept with the run."""

import logging

import torch

from kdzero_gp.loops.fused.choice import choose_fuse
from kdzero_gp.loops.fused.ways import WAYS, parse_fuse, refusal
from kdzero_gp.run.config import RunConfig
from kdzero_gp.store import RunStore
from kdzero_gp.tasks.presets import fuse_for
from kdzero_gp.tasks.task import Task

FUSE = "fuse"
"""Name of the stored result: a run that is gone on with trains the same students together as before."""
_log = logging.getLogger(__name__)


def settle_fuse(config: RunConfig, task: Task, store: RunStore) -> RunConfig:
    """The configuration with `fuse` as NUMBER or NUMBER:WAY: what was asked for, or what is fastest here.

    Students trained together differ from those trained one by one in the last bits. So what `auto` has measured is
    measured once, and unasked it measures on a GPU alone, where no run repeats to the bit anyway.
    """
    unasked = "auto" if torch.device(config.device).type == "cuda" else str(fuse_for(config.data))
    wanted = config.fuse or unasked
    if wanted not in ("auto", "1") and (reason := _refusal(task, wanted)):
        level = logging.WARNING if config.fuse else logging.INFO
        _log.log(level, "students are trained one by one, since they cannot be trained together: %s", reason)
        wanted = "1"
    if wanted == "auto":
        stored = store.result(FUSE)
        if not isinstance(stored, dict):
            choice = choose_fuse(task)
            stored = {"fuse": choice.text, "reason": choice.reason}
            store.put_result(FUSE, stored)
            _log.info("--fuse auto chose %s: %s", stored["fuse"], choice.reason)
        wanted = str(stored["fuse"])
    return config.model_copy(update={"fuse": wanted})


def _refusal(task: Task, text: str) -> str:
    """Why the task's students cannot be trained together as asked, "" if they can."""
    way = parse_fuse(text)[1]
    reasons = [refusal(task, each) for each in (WAYS if way is None else (way,))]
    return "" if "" in reasons else "; ".join(reasons)
