"""What a worker process does: it builds its evaluator, and then answers job after job."""

import ctypes
import os
import signal
import sys
import threading
import time
from multiprocessing.connection import Connection

from kdzero_gp.execute.attempt import attempt
from kdzero_gp.execute.output import silence

PR_SET_PDEATHSIG = 1


def work(line: Connection, parent: int, tied: bool) -> None:
    """The main function of a worker process; it ends when its line to the parent does.

    Args:
        line: gives the function that makes the evaluator, and then jobs; takes (kind, value) of `Event`.
        parent: process id.
        tied: whether the kernel may end this process with the thread that started it.
    """
    silence()
    _end_with(parent, tied)
    try:
        evaluator = line.recv()()
    except Exception as error:
        line.send(("broken", f"{type(error).__name__}: {error}"))
        return
    line.send(("ready", ""))
    while True:
        try:
            job, free = line.recv()
        except EOFError:
            return
        line.send(("done", attempt(evaluator, job, free=free)))


def _end_with(parent: int, tied: bool) -> None:
    """Ends this process when its parent ends, however that came about.

    A thread sees to it, and on Linux the kernel too, since a thread cannot act while compiled code keeps the
    interpreter to itself.
    """
    if tied and sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
