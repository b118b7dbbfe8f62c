"""`RunStore`: everything a run has found out, safe against `kill -9` from the moment `record` returns."""

import os
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kdzero_gp.errors import StoreError
from kdzero_gp.store import rows, schema
from kdzero_gp.store.config_difference import config_differences
from kdzero_gp.store.failures import report_failures
from kdzero_gp.store.folder import CONFIG_NAME, FolderLock, make_empty, write_config
from kdzero_gp.store.history import HISTORY_NAME, history_line
from kdzero_gp.store.json_text import JSON, decode, encode, plain
from kdzero_gp.store.record import Evaluation, Proposal
from kdzero_gp.untrusted import printable
from kdzero_gp.whole_file import write_whole


class RunStore:
    """One run folder, opened by `create`, `resume` or `read`; to be used by one thread.

    Every failure that lies in the folder, the disk or the database is a `StoreError`, after which what was
    recorded before is still there and the store can be used on.
    """

    def __init__(self, folder: Path, connection: sqlite3.Connection, lock: FolderLock | None) -> None:
        """Used by the three ways of opening; `lock` is None for a store that only reads."""
        self._folder = folder
        self._connection = connection
        self._lock = lock
        self._owner = os.getpid()

    @classmethod
    def create(cls, folder: Path, config: Mapping[str, JSON]) -> Self:
        """Begins a run in a folder that is new or empty.

        Raises:
            StoreError: the folder holds something, cannot be made or written, or has a writer.
            TypeError: the configuration has no JSON form.
        """
        folder, text = Path(folder).absolute(), encode(config)
        make_empty(folder)
        lock = FolderLock(folder)
        try:
            make_empty(folder)  # again, now that nobody else can fill it
            with report_failures("create a run in", folder, then="start again, or take another --run-dir"):
                schema.create_database(folder, text)
            return cls._open_writing(folder, lock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def resume(cls, folder: Path, config: Mapping[str, JSON] | None = None, *, ignore: Collection[str] = ()) -> Self:
        """Resumes the run in a folder.

        Args:
            config: what the run is to be continued with; None takes what it was started with.
            ignore: keys of the configuration (inner ones dotted) that may differ; the stored value stays.

        Raises:
            StoreError: no run, a damaged or foreign database, another configuration, or another writer.
                Nothing has been changed then.
        """
        folder = Path(folder).absolute()
        schema.check_file(folder / schema.DATABASE_NAME)
        lock = FolderLock(folder)
        try:
            # A connection that can write would, on closing, move the log into a file we may yet refuse.
            with cls.read(folder) as before:
                differing = config_differences(before.config, plain(config), ignore) if config is not None else []
            if differing:
                raise StoreError(
                    f"{folder} holds a run of another configuration:\n  " + "\n  ".join(differing) + "\n"
                    "A run goes on under the configuration it was started with: "
                    "leave these options out, or start a new run with another --run-dir"
                )
            return cls._open_writing(folder, lock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Opens a run for reading alone, also while another process writes to it.

        Raises:
            StoreError: no run, or a damaged or foreign database.
        """
        folder = Path(folder).absolute()
        database = folder / schema.DATABASE_NAME
        schema.check_file(database)
        with report_failures("read", database, then="try again"):
            connection = schema.connect(database, "ro")
        try:
            schema.check_content(connection, database)
        except BaseException:
            connection.close()
            raise
        return cls(folder, connection, None)

    @classmethod
    def _open_writing(cls, folder: Path, lock: FolderLock) -> Self:
        database = folder / schema.DATABASE_NAME
        with report_failures("open", database, then="try again"):
            connection = schema.connect(database, "rw")
        store = cls(folder, connection, lock)
        try:
            if not (folder / CONFIG_NAME).exists():
                write_config(folder, store.config)
        except BaseException:
            connection.close()
            raise
        return store

    @property
    def folder(self) -> Path:
        """The run folder, as an absolute path."""
        return self._folder

    @property
    def config(self) -> dict[str, Any]:
        """A copy of the configuration that the run was started with."""
        return self._object("configuration", self._fetch("SELECT value FROM run WHERE key = 'config'")[0][0])

    def record(self, proposal: Proposal, evaluation: Evaluation) -> bool:
        """Stores an evaluation for good, in a transaction of its own.

        Returns:
            Whether it was new; the same proposal a second time is ignored and the first evaluation stays.

        Raises:
            StoreError: another proposal stands under the same arm and number, or writing failed.
        """
        if self._write(rows.INSERT, rows.to_row(proposal, evaluation)):
            return True
        stored = self.get(proposal.arm, proposal.number, proposal.rung)
        if stored is not None and stored[0] == proposal:
            return False
        raise StoreError(
            f"{self._folder} has under number {proposal.number}, rung {proposal.rung}, of arm {proposal.arm!r}\n"
            f"  {stored and stored[0]}\nbut it is now\n  {proposal}\n"
            "so this run does not repeat the one stored. Resume with the program version and options it "
            "began with, or take another --run-dir"
        )

    def get(self, arm: str, number: int, rung: int = 0) -> tuple[Proposal, Evaluation] | None:
        """Reads the records of an arm, a number and a rung."""
        found = self._fetch(f"{rows.SELECT} WHERE arm = ? AND number = ? AND rung = ?", (arm, number, rung))
        return rows.from_row(found[0]) if found else None

    def find(self, arm: str, canonical: str, rung: int) -> Evaluation | None:
        """Finds the evaluation of a canonical form at a rung; of several, that with the lowest number."""
        where = "WHERE arm = ? AND canonical = ? AND rung = ? ORDER BY number LIMIT 1"
        found = self._fetch(f"{rows.SELECT} {where}", (arm, canonical, rung))
        return rows.from_row(found[0])[1] if found else None

    def evaluations(self, arm: str | None = None) -> Iterator[tuple[Proposal, Evaluation]]:
        """Reads all records at the moment of the call, ordered by arm, number and rung."""
        where = "" if arm is None else "WHERE arm = ?"
        found = self._fetch(f"{rows.SELECT} {where} ORDER BY arm, number, rung", () if arm is None else (arm,))
        return map(rows.from_row, found)

    def in_order_of_recording(self, arm: str) -> Iterator[tuple[Proposal, Evaluation]]:
        """Reads all evaluations of an arm in the order of recording."""
        return map(rows.from_row, self._fetch(f"{rows.SELECT} WHERE arm = ? ORDER BY rowid", (arm,)))

    def put_state(self, arm: str, number: int, rung: int, state: bytes) -> None:
        """Stores or replaces the state of a candidate's student at a rung."""
        self._write("INSERT OR REPLACE INTO states VALUES (?, ?, ?, ?)", (arm, number, rung, state))

    def state(self, arm: str, number: int, rung: int) -> bytes | None:
        """Reads the state of a candidate's student at a rung; None where none is kept."""
        found = self._fetch("SELECT state FROM states WHERE arm = ? AND number = ? AND rung = ?", (arm, number, rung))
        return found[0][0] if found and isinstance(found[0][0], bytes) else None

    def drop_states(self, arm: str, up_to: int) -> None:
        """Drops the states of an arm's candidates up to this number: their students go on no further."""
        self._write("DELETE FROM states WHERE arm = ? AND number <= ?", (arm, up_to))

    def append_trace(self, arm: str, position: int, event: str) -> None:
        """Stores the event at a position of an arm's trace; the first event of a position stays."""
        self._write("INSERT OR IGNORE INTO trace VALUES (?, ?, ?)", (arm, position, event))

    def trace(self, arm: str) -> list[str]:
        """Reads the events of an arm, in order."""
        return [event for (event,) in self._fetch("SELECT event FROM trace WHERE arm = ? ORDER BY position", (arm,))]

    def put_generation(self, arm: str, generation: int, stats: Mapping[str, JSON]) -> None:
        """Stores or replaces the statistics of a generation."""
        self._write("INSERT OR REPLACE INTO generations VALUES (?, ?, ?)", (arm, generation, encode(stats)))

    def generations(self, arm: str) -> dict[int, dict[str, Any]]:
        """Reads the statistics of an arm by generation, in ascending order."""
        query = "SELECT generation, stats FROM generations WHERE arm = ? ORDER BY generation"
        return {
            generation: self._object(f"generation {generation} of {arm}", stats)
            for generation, stats in self._fetch(query, (arm,))
        }

    def put_result(self, name: str, value: JSON) -> None:
        """Stores or replaces a named result, such as the final table."""
        self._write("INSERT OR REPLACE INTO results VALUES (?, ?)", (name, encode(value)))

    def result(self, name: str) -> Any:
        """Reads a named result (JSON); None where there is none."""
        found = self._fetch("SELECT value FROM results WHERE name = ?", (name,))
        return self._decoded(f"result {name}", found[0][0]) if found else None

    def write_history(self, path: Path | None = None) -> Path:
        """Writes `history.jsonl` (or another file) from the database, in place of an earlier one.

        Returns:
            The file written: one line per evaluation, ordered by arm, number and rung; equal runs give equal bytes.
        """
        path = self._folder / HISTORY_NAME if path is None else Path(path)
        write_whole(path, (history_line(*both) for both in self.evaluations()), then="try again")
        return path

    def close(self) -> None:
        """Closes the database and lets the next writer in; a forked child leaves both to its parent."""
        if os.getpid() != self._owner:
            return
        with self._failing("close"):
            self._connection.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _object(self, what: str, text: object) -> dict[str, Any]:
        found = self._decoded(what, text)
        if not isinstance(found, dict):
            raise self._damaged(what, f"it is a {type(found).__name__}, but must be an object")
        return found

    def _decoded(self, what: str, text: object) -> Any:
        if not isinstance(text, str):
            raise self._damaged(what, "it is no text")
        try:
            return decode(text)
        except (ValueError, TypeError, RecursionError) as error:
            raise self._damaged(what, str(error)) from error

    def _damaged(self, what: str, why: str) -> StoreError:
        shown = printable(f"{what} in {self._folder / schema.DATABASE_NAME} is damaged: {why}", limit=400)
        return StoreError(f"{shown}. It was left as it is: restore it from a copy, or take another --run-dir")

    def _fetch(self, query: str, values: tuple[Any, ...] = ()) -> list[rows.Row]:
        with self._failing("read"):
            return self._connection.execute(query, values).fetchall()

    def _write(self, statement: str, values: tuple[Any, ...]) -> int:
        if self._lock is None:
            raise StoreError(f"{self._folder} was opened for reading. To write, open it by RunStore.resume")
        with self._failing("write"):
            return self._connection.execute(statement, values).rowcount

    @contextmanager
    def _failing(self, doing: str) -> Iterator[None]:
        with report_failures(doing, self._folder / schema.DATABASE_NAME, then=f"go on with --resume {self._folder}"):
            yield
