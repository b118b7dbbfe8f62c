"""The order in which the jobs of a steady search ended, read from the store and continued there."""

from collections import deque

from kdzero_gp.store import RunStore

WORKERS = "workers"


class Trace:
    """The events of an arm: the ends of jobs by name, and `workers N` where the number of jobs in flight changed.

    Every event is written before anything that follows from it. So the trace of a run that was killed leads to
    everything in its store.
    """

    def __init__(self, store: RunStore, arm: str) -> None:
        self.store = store
        self.arm = arm
        self._ahead = deque(store.trace(arm))
        self._written = 0
        self._workers = 0

    def workers(self, now: int) -> int:
        """Gives the number of jobs in flight at this point: the stored one, or else the number of workers."""
        while self._ahead and self._ahead[0].startswith(WORKERS):
            self._workers = int(self._ahead[0].split()[1])
            self.append(self._ahead[0])
        if not self._ahead and self._workers != now:
            self._workers = now
            self.append(f"{WORKERS} {now}")
        return self._workers

    @property
    def ahead(self) -> str | None:
        """Gives the next stored event; None at the end."""
        return self._ahead[0] if self._ahead else None

    def append(self, event: str) -> None:
        """Adds the event that came, unless it is already written."""
        if self._ahead:
            self._ahead.popleft()
        else:
            self.store.append_trace(self.arm, self._written, event)
        self._written += 1
