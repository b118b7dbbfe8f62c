"""Settles how many students are trained in one program, and how they are stacked."""

import logging
from collections.abc import Callable

from kdzero_gp.loops.fused.choice import choose_fuse
from kdzero_gp.loops.fused.ways import WAYS, parse_fuse, refusal
from kdzero_gp.tasks.task import Task

_log = logging.getLogger(__name__)


def settle_fuse(asked: str | None, task: Task, *, unasked: str, measure: Callable[[], str]) -> str:
    """Settles the option `--fuse` as NUMBER or NUMBER:WAY: what was asked for, or what is fastest here.

    Students trained together differ from those trained one by one in the last bits, so commands measure unasked on a
    GPU alone, where no training repeats to the bit anyway.

    Args:
        asked: what the user gave: a number, with or without a way, or `auto`; None for nothing.
        unasked: what stands for None.
        measure: what stands for `auto`.
    """
    wanted = asked or unasked
    if wanted not in ("auto", "1") and (reason := _refusal(task, wanted)):
        level = logging.WARNING if asked else logging.INFO
        _log.log(level, "students are trained one by one, since they cannot be trained together: %s", reason)
        return "1"
    return measure() if wanted == "auto" else wanted


def measure_fuse(task: Task, most: int | None = None) -> tuple[str, str]:
    """Measures what is fastest on the task, as NUMBER or NUMBER:WAY, with the reason.

    Args:
        most: students in one program at most; None leaves it to `choose_fuse`.
    """
    choice = choose_fuse(task) if most is None else choose_fuse(task, most=most)
    _log.info("--fuse auto chose %s: %s", choice.text, choice.reason)
    return choice.text, choice.reason


def _refusal(task: Task, text: str) -> str:
    """Tells why the task's students cannot be trained together as asked, "" if they can."""
    way = parse_fuse(text)[1]
    reasons = [refusal(task, each) for each in (WAYS if way is None else (way,))]
    return "" if "" in reasons else "; ".join(reasons)
