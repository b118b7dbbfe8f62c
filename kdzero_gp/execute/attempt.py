"""An attempt at a job gives its result or a fault, and a fault can become the job's result."""

import gc
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch

from kdzero_gp.evaluate.candidate import Candidate, FullTraining, FullTrainings
from kdzero_gp.evaluate.evaluator import Evaluator
from kdzero_gp.execute.output import capture_output
from kdzero_gp.execute.protocol import AnyJob, FullGroupJob, FullJob, Result, ScreenJob, TrainJob, perform
from kdzero_gp.loops.single import DeadlineError
from kdzero_gp.store.record import Evaluation


@dataclass(frozen=True)
class Fault:
    """The reason why a job has no result.

    Attributes:
        status: a lost worker may be the machine's failure or the job's; only another attempt can tell.
        seconds: until it happened.
    """

    status: Literal["error", "oom", "timeout", "worker_lost"]
    seconds: float
    message: str


def attempt(evaluator: Evaluator, job: AnyJob, *, free: bool = False) -> Result | Fault:
    """Runs a job here; nothing that it does in Python floods the terminal or ends this process.

    Args:
        free: give back what memory can be given back, first.
    """
    if free:
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    started = time.perf_counter()
    with capture_output() as output:
        try:
            result = perform(evaluator, job)
        except DeadlineError as error:
            return Fault("timeout", time.perf_counter() - started, str(error))
        except (MemoryError, torch.OutOfMemoryError) as error:
            return Fault("oom", time.perf_counter() - started, f"{type(error).__name__}: {error}")
        except (Exception, SystemExit):
            return Fault("error", time.perf_counter() - started, output.above(traceback.format_exc()))
    return _with_output(result, output.above)


def record_fault(job: AnyJob, fault: Fault) -> Result:
    """Makes a fault the result of a job that stays without one of its own."""
    match job:
        case FullJob():
            return FullTraining(None, fault.seconds, fault.message)
        case FullGroupJob(candidates):
            return FullTrainings(tuple(FullTraining(None, fault.seconds, fault.message) for _ in candidates))
        case ScreenJob(tree):
            return _failed(Candidate(tree), fault)
        case TrainJob(candidates):
            return tuple(_failed(candidate, fault) for candidate in candidates)


def _failed(candidate: Candidate, fault: Fault) -> Evaluation:
    return Evaluation.failed(
        fault.status,
        fault.message,
        calibration=candidate.calibration,
        fingerprint=candidate.fingerprint,
        seconds=fault.seconds,
    )


def _with_output(result: Result, above: Callable[[str], str]) -> Result:
    """Puts the last output of a candidate that failed above its traceback.

    The output of candidates that were trained together cannot be told apart, so it is left out.
    """
    match result:
        case Evaluation(status="error", error=str(error)) | FullTraining(error=str(error)):
            return replace(result, error=above(error))
        case (Evaluation(status="error", error=str(error)) as evaluation,):
            return (replace(evaluation, error=above(error)),)
    return result
