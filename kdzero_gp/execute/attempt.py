"""One attempt at a job: its result, or the fault that kept it from one; and a fault as a job's final result."""

import gc
import platform
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch

from kdzero_gp.evaluate.evaluator import Evaluator, Trained
from kdzero_gp.evaluate.full import FullResult, FullResults
from kdzero_gp.evaluate.screen import Screening
from kdzero_gp.execute.output import quiet
from kdzero_gp.execute.protocol import AnyJob, FullGroupJob, FullJob, Result, ScreenJob, TrainJob, perform
from kdzero_gp.loops.single import DeadlineError
from kdzero_gp.store.record import Evaluation


@dataclass(frozen=True)
class Fault:
    """Why a job has no result.

    Attributes:
        status: what befell it. A lost worker is the machine's failure or the job's, and only another attempt can tell.
        seconds: until it happened.
    """

    status: Literal["error", "oom", "timeout", "worker_lost"]
    seconds: float
    message: str


def attempt(evaluator: Evaluator, job: AnyJob, *, free: bool = False) -> Result | Fault:
    """Runs a job here. Nothing that it does in Python floods the terminal or ends this process.

    Args:
        free: give back what memory can be given back, first.
    """
    if free:
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    started = time.perf_counter()
    with quiet() as said:
        try:
            result = perform(evaluator, job)
        except DeadlineError as error:
            return Fault("timeout", time.perf_counter() - started, str(error))
        except (MemoryError, torch.OutOfMemoryError) as error:
            return Fault("oom", time.perf_counter() - started, f"{type(error).__name__}: {error}")
        except (Exception, SystemExit):
            return Fault("error", time.perf_counter() - started, said.above(traceback.format_exc()))
    return _with_words(result, said.above)


def failed(job: AnyJob, fault: Fault) -> Result:
    """What is recorded of a job that stays without a result."""
    match job:
        case FullJob():
            return FullResult(None, fault.seconds, fault.message)
        case FullGroupJob(entrants):
            return FullResults(tuple(FullResult(None, fault.seconds, fault.message) for _ in entrants))
        case ScreenJob():
            return _evaluation(fault, None)
        case TrainJob(entries):
            return tuple(Trained(_evaluation(fault, entry.screening), None) for entry in entries)


def _evaluation(fault: Fault, screening: Screening | None) -> Evaluation:
    return Evaluation(
        status=fault.status,
        stage=None,
        fitness=None,
        parts={},
        calibration=screening.calibration if screening else (),
        fingerprint=screening.fingerprint if screening else None,
        steps=0,
        seed=0,
        seconds=fault.seconds,
        host=platform.node(),
        error=fault.message,
    )


def _with_words(result: Result, above: Callable[[str], str]) -> Result:
    """Puts what a failing candidate said last above its traceback; of several it is anybody's."""
    match result:
        case Evaluation(status="error", error=str(error)) | FullResult(error=str(error)):
            return replace(result, error=above(error))
        case (Trained(Evaluation(status="error", error=str(error)) as evaluation, state),):
            return (Trained(replace(evaluation, error=above(error)), state),)
    return result
