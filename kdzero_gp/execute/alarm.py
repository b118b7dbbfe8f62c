"""A deadline on work in this very process."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from kdzero_gp.evaluate.training import DeadlineError


@contextmanager
def deadline(seconds: float | None) -> Iterator[None]:
    """Raises `DeadlineError` inside the block once it took too long.

    It reaches Python code alone: a single call into compiled code is over before it is heard. And only the main thread
    of a program that does not use SIGALRM itself has this alarm; elsewhere nothing happens. Worker processes have
    neither limit, since their parent kills them.
    """
    if seconds is None or not _free():
        yield
        return

    def ring(signum: int, frame: FrameType | None) -> None:
        raise DeadlineError(f"took longer than {seconds:g} s")

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


def _free() -> bool:
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        return False
    return signal.getsignal(signal.SIGALRM) is signal.SIG_DFL and signal.getitimer(signal.ITIMER_REAL)[0] == 0
