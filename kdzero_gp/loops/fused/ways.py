"""The ways to stack students, and which of them a task's student allows."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal, cast, get_args
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from kdzero_gp.errors import ConfigError
from kdzero_gp.loops.fused.check import PROBE, STUDENTS, check_stack
from kdzero_gp.loops.fused.grouped import GroupedStack
from kdzero_gp.loops.fused.stack import FuseError, Stack
from kdzero_gp.loops.fused.vmap import VmapStack
from kdzero_gp.taps.tap import Taps
from kdzero_gp.tasks.task import Task

Way = Literal["grouped", "vmap"]


WAYS: tuple[Way, ...] = get_args(Way)
"""The faster one first."""


_MAKERS: dict[Way, Callable[[nn.Module, int, Taps, Sequence[str]], Stack]] = {
    "grouped": GroupedStack,
    "vmap": VmapStack,
}


_refusals: WeakKeyDictionary[Task, dict[Way, str]] = WeakKeyDictionary()  # "" for a way that passed the check


def refusal(task: Task, way: Way) -> str:
    """Tells why the task's students cannot be stacked this way, "" if they can; tried once for each task."""
    if not task.kind.per_sample:
        return f"the loss of {task.kind.name} is no mean over samples, so students in one program cannot share it"
    known = _refusals.setdefault(task, {})
    if way not in known:
        students = [task.student(seed) for seed in range(STUDENTS)]
        images = task.feed(())(torch.arange(min(PROBE, len(task.data.train))), 0)[0]
        known[way] = stack_refusal(way, students, task.student_taps, images)
    return known[way]


def stack_refusal(way: Way, students: Sequence[nn.Module], taps: Taps, images: Tensor) -> str:
    """Tells why these students cannot be stacked, "" if they can.

    Args:
        students: two or more of one architecture with different weights.
        images: (B, C, H, W), a few.
    """
    try:
        check_stack(_MAKERS[way], students, taps, images)
    except FuseError as error:
        return str(error)
    # Channels side by side would follow whatever one branch they take together; only vmap notices that.
    by_vmap = stack_refusal("vmap", students, taps, images) if way == "grouped" else ""
    return by_vmap if "data-dependent" in by_vmap else ""


def make_stack(task: Task, student: nn.Module, count: int, names: Sequence[str], way: Way | None = None) -> Stack:
    """Makes a stack of `count` copies of a student of the task.

    Args:
        names: of the taps that are read.
        way: by default the first that passes its check.

    Raises:
        FuseError: the student fits none; the message says why.
    """
    ways = WAYS if way is None else (way,)
    for one in ways:
        if not refusal(task, one):
            return _MAKERS[one](student, count, task.student_taps, names)
    reasons = "; ".join(f"{one}: {refusal(task, one)}" for one in ways)
    raise FuseError(f"{task.name}: students cannot be trained in one program ({reasons}); train them one by one")


def parse_fuse(text: str) -> tuple[int, Way | None]:
    """Reads the number of students and the way to stack them (None leaves that to the student).

    Raises:
        ConfigError: neither a number nor NUMBER:WAY.
    """
    match = re.fullmatch(rf"(\d{{1,4}})(?::({'|'.join(WAYS)}))?", text)
    if match is None or not 1 <= int(match[1]) <= 1024:
        raise ConfigError(
            f"--fuse is {text!r}, but must be auto, a number of students from 1 to 1024, or such a number with the way "
            f"to stack them, as 8:{WAYS[0]} or 8:{WAYS[1]}; 1 trains students one by one"
        )
    return int(match[1]), cast(Way | None, match[2])
