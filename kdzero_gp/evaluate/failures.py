"""Trainings that fail: how want of memory is recognised, and what is done after a failed program."""

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from kdzero_gp.loops.fused.stack import FuseError
from kdzero_gp.loops.single import DeadlineError
from kdzero_gp.untrusted import error_text, only_exceptions

Result = TypeVar("Result")
_log = logging.getLogger(__name__)


def out_of_memory(error: BaseException | None) -> bool:
    """Tells whether memory ran out, be it under an error that names the operation.

    Torch's allocator for the CPU reports it by an ordinary RuntimeError.
    """
    if error is None:
        return False
    exhausted = isinstance(error, MemoryError | torch.OutOfMemoryError) or "DefaultCPUAllocator" in error_text(error)
    return exhausted or out_of_memory(error.__cause__)


class OneProgram:
    """Trains students in one program where that is possible; else the caller trains them one by one.

    Students that cannot be stacked are not tried a second time. Any other failure is one candidate's: trained alone,
    each finds its own status.
    """

    def __init__(self) -> None:
        self._impossible = False

    def attempt(self, students: int, train: Callable[[], Sequence[Result]]) -> Sequence[Result] | None:
        """Trains all students together by `train`; returns None where they are to be trained one by one."""
        if students < 2 or self._impossible:
            return None
        try:
            with only_exceptions(lambda: "One of the candidates' operations"):
                return train()
        except FuseError as error:
            self._impossible = True
            _log.warning("students are trained one by one, since they cannot be trained together: %s", error)
        except (Exception, SystemExit, DeadlineError) as error:
            _log.info("%d students are trained one by one after %s", students, error_text(error))
        return None
