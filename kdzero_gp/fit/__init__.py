"""The final distillation of one student: `fit`, and `Distillation` for a training loop of one's own."""

from kdzero_gp.fit.final import FitError, fit
from kdzero_gp.fit.own_loop import Distillation
from kdzero_gp.fit.record import EpochLog, FitObserver, FitResult

__all__ = ["Distillation", "EpochLog", "FitError", "FitObserver", "FitResult", "fit"]
