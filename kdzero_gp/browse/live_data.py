"""What the live view tells of its runs: all of them as the page's data, and one distiller's card at a time."""

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kdzero_gp.errors import KdzeroError
from kdzero_gp.gallery.card_maker import CardMaker, Probe, Wanted
from kdzero_gp.gallery.chosen import Key, latest_by_key
from kdzero_gp.gallery.json_block import json_block
from kdzero_gp.gallery.rows import Recorded
from kdzero_gp.gallery.run_data import run_data
from kdzero_gp.gallery.run_view import RunView, read_run
from kdzero_gp.grammar.registry import active_registry
from kdzero_gp.store import RunStore
from kdzero_gp.store.schema import DATABASE_NAME
from kdzero_gp.untrusted import printable

SHORTEST = 1.0
"""Seconds between two looks at the run folders."""
PATIENCE = 4.0
"""After a look that took long, it rests this many times as long as it took: the search needs the processor more."""
KEPT = 200
"""Cards that are kept, some 30 kB each."""
_log = logging.getLogger(__name__)


class _Seen(NamedTuple):
    """A run as it was at the last look."""

    view: RunView
    latest: Mapping[Key, Recorded]


class LiveData:
    """The page's data of all runs, read again on request once a run folder has changed.

    A folder that cannot be read (half written, locked, broken, gone) leaves what was read of it before, and a message.

    Args:
        probe_of: gives what measures the nodes of a run's distillers.

    Raises:
        KdzeroError: from `probe_of`.
    """

    def __init__(self, folders: Sequence[Path], probe_of: Callable[[RunStore], Probe] | None = None) -> None:
        self.folders = [Path(folder) for folder in folders]
        self._registry = active_registry()
        self._makers = [CardMaker(self._registry, _probe(folder, probe_of)) for folder in self.folders]
        self._seen: dict[int, _Seen] = {}
        self._runs: dict[int, dict[str, Any]] = {}
        self._problems: dict[int, str] = {}
        self._states: dict[int, object] = {}
        self._lock = threading.Lock()
        self._next_look = 0.0
        self._text = b""
        self._tag = ""
        self._drawing = threading.Lock()
        self._cards: dict[tuple[int, Key], tuple[object, bytes]] = {}

    def current(self) -> tuple[bytes, str]:
        """Gives the data as JSON and their entity tag; of the cards, they hold the winner's alone."""
        with self._lock:
            if time.monotonic() >= self._next_look:
                began = time.monotonic()
                news = [self._look(place) for place in range(len(self.folders))]  # all of them, so no generator
                if any(news) or not self._text:
                    data = {"runs": list(self._runs.values()), "problems": list(self._problems.values())}
                    self._text = json_block(data).encode("utf-8")
                    self._tag = f'"{hashlib.sha256(self._text).hexdigest()[:32]}"'
                self._next_look = time.monotonic() + max(SHORTEST, PATIENCE * (time.monotonic() - began))
            return self._text, self._tag

    def card(self, place: int, key: Key) -> bytes | None:
        """Makes the card of a distiller that was there at the last look, as JSON.

        Args:
            place: of its run among the folders; what the page's data call `at`.

        Returns:
            None where there is no such run or distiller.
        """
        seen = self._seen.get(place)
        if seen is None or key not in seen.latest:
            return None
        proposal, evaluation = recorded = seen.latest[key]
        kept_readings = proposal.canonical in seen.view.readings
        depends = (proposal, evaluation.calibration, seen.view.shapes is None, kept_readings)
        with self._drawing:
            kept = self._cards.get((place, key))
            if kept is None or kept[0] != depends:
                card = self._makers[place].one(seen.view, Wanted(recorded, python=True))
                kept = depends, json_block(card.data()).encode("utf-8")
                while len(self._cards) >= KEPT:
                    self._cards.pop(next(iter(self._cards)))
                self._cards[place, key] = kept
        return kept[1]

    def _look(self, place: int) -> bool:
        """Reads a run if its files have changed; returns whether they have."""
        folder = self.folders[place]
        state = _file_state(folder)
        if state == self._states.get(place, ()):
            return False
        self._states[place] = state
        try:
            with RunStore.read(folder) as store:
                view = read_run(store)
            cards = self._makers[place]
            self._runs[place] = run_data(view, cards, registry=self._registry, most=1, python=True) | {"at": place}
            self._seen[place] = _Seen(view, latest_by_key(view.evaluations))
            self._problems.pop(place, None)
        except Exception as error:  # a folder is not trusted: whatever is wrong with it, the view goes on
            if not isinstance(error, KdzeroError):
                _log.warning("the run in %s cannot be shown", folder, exc_info=True)
            self._states.pop(place, None)  # to be tried again, whether or not the files change
            message = f"{folder.name} cannot be read at the moment: {error}"
            before = self._problems.get(place)
            self._problems[place] = printable(message, limit=1000)
            return self._problems[place] != before
        return True


def _probe(folder: Path, probe_of: Callable[[RunStore], Probe] | None) -> Probe | None:
    if probe_of is None:
        return None
    with RunStore.read(folder) as store:
        return probe_of(store)


def _file_state(folder: Path) -> object:
    """Tells what changes when the run's database does; None for a file that is not there."""
    found: list[tuple[int, int, int] | None] = []
    for end in ("", "-wal"):
        try:
            status = (folder / f"{DATABASE_NAME}{end}").stat()
        except OSError:
            found.append(None)
        else:
            found.append((status.st_ino, status.st_size, status.st_mtime_ns))
    return tuple(found)
