"""The order in which a steady search's jobs ended, as the store keeps it: what is written is followed, then goes on."""

from collections import deque

from kdzero_gp.store import RunStore

WORKERS = "workers"


class Trace:
    """An arm's events: the ends of jobs by their names, and `workers N` where the number of jobs in flight changed.

    Every event is written down before anything follows from it. So a run that was killed has nothing in its store that
    its trace does not lead to.
    """

    def __init__(self, store: RunStore, arm: str) -> None:
        self.store = store
        self.arm = arm
        self._ahead = deque(store.trace(arm))
        self._written = 0
        self._workers = 0

    def workers(self, now: int) -> int:
        """How many jobs are in flight at this point: as many as were then, or as there are workers now."""
        while self._ahead and self._ahead[0].startswith(WORKERS):
            self._workers = int(self._ahead[0].split()[1])
            self.note(self._ahead[0])
        if not self._ahead and self._workers != now:
            self._workers = now
            self.note(f"{WORKERS} {now}")
        return self._workers

    @property
    def ahead(self) -> str | None:
        """The event that has to come next; None where it is not written yet."""
        return self._ahead[0] if self._ahead else None

    def note(self, event: str) -> None:
        """This event came."""
        if self._ahead:
            self._ahead.popleft()
        else:
            self.store.append_trace(self.arm, self._written, event)
        self._written += 1
