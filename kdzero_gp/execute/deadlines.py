"""The time that a job may take before its worker is ended."""

from dataclasses import dataclass

from kdzero_gp.execute.protocol import AnyJob, FullGroupJob, FullJob, ScreenJob, TrainJob


@dataclass(frozen=True)
class Deadlines:
    """Seconds by job, counted from the moment at which a worker that is ready gets it.

    The evaluator watches the time between training steps and ends an overlong training itself. These deadlines are for
    a job that hangs inside a step, so they are longer.

    Attributes:
        training: for one candidate's whole proxy training.
        full: for one full training; None for no limit.
        grace: added to each, for what is done once per worker: teacher outputs, a first screening's probe.
    """

    training: float = 600.0
    full: float | None = None
    grace: float = 60.0

    def __call__(self, job: AnyJob) -> float | None:
        """Seconds that a job may take, or None for no limit."""
        match job:
            case ScreenJob():
                return self.training + self.grace
            case TrainJob(candidates):
                return self.training * (len(candidates) + 1) + self.grace  # one more: the student alone, the reference
            case FullJob():
                return None if self.full is None else self.full + self.grace
            case FullGroupJob(candidates):
                return None if self.full is None else self.full * len(candidates) + self.grace
