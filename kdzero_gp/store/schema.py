"""The database file of a run: its tables, its making, and the checks of a file that may be another's."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Literal

from kdzero_gp.errors import StoreError
from kdzero_gp.store.failures import report_failures

DATABASE_NAME = "run.sqlite"
UNFINISHED_NAME = f"{DATABASE_NAME}.new"
APPLICATION_ID = 0x6B647A30  # "kdz0"
SCHEMA_VERSION = 2
BUSY_SECONDS = 5.0

_SMALLEST_PAGE = 512
_LEFT = "It was left as it is: restore it from a copy, or take another --run-dir"

_TABLES = """
CREATE TABLE run (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE evaluations (
    arm TEXT NOT NULL, number INTEGER NOT NULL, generation INTEGER NOT NULL, operator TEXT NOT NULL,
    parents TEXT NOT NULL, tree TEXT NOT NULL, canonical TEXT NOT NULL, rung INTEGER NOT NULL,
    status TEXT NOT NULL, stage TEXT, fitness REAL, parts TEXT NOT NULL, calibration TEXT NOT NULL,
    fingerprint TEXT, steps INTEGER NOT NULL, seed TEXT NOT NULL, seconds REAL NOT NULL, host TEXT NOT NULL,
    error TEXT, recorded_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    PRIMARY KEY (arm, number, rung)
);
CREATE INDEX evaluations_by_tree ON evaluations (arm, canonical, rung, number);
CREATE TABLE generations (
    arm TEXT NOT NULL, generation INTEGER NOT NULL, stats TEXT NOT NULL, PRIMARY KEY (arm, generation)
);
CREATE TABLE results (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE states (
    arm TEXT NOT NULL, number INTEGER NOT NULL, rung INTEGER NOT NULL, state BLOB NOT NULL,
    PRIMARY KEY (arm, number, rung)
);
CREATE TABLE trace (arm TEXT NOT NULL, position INTEGER NOT NULL, event TEXT NOT NULL, PRIMARY KEY (arm, position));
"""


def create_database(folder: Path, config: str) -> None:
    """Puts a new, empty `run.sqlite` into the folder, whole or not at all.

    It is built under another name: a process killed half-way leaves something that the next one can tell
    apart from a run and may remove.
    """
    unfinished = folder / UNFINISHED_NAME
    remove_unfinished(folder)
    try:
        with closing(sqlite3.connect(unfinished, isolation_level=None)) as connection:
            connection.executescript(
                f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION};"
                f"BEGIN; {_TABLES} COMMIT;"
            )
            connection.execute("INSERT INTO run VALUES ('config', ?)", (config,))
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise StoreError(
                f"{folder} lies on a file system without the shared memory that SQLite's write-ahead log "
                f"needs (journal mode is {mode!r}). Take a --run-dir on a local disk"
            )
        unfinished.replace(folder / DATABASE_NAME)
    except BaseException:
        remove_unfinished(folder)
        raise


def remove_unfinished(folder: Path) -> None:
    """Removes the files of a creation that was killed."""
    for path in folder.glob(f"{UNFINISHED_NAME}*"):
        path.unlink(missing_ok=True)


def connect(database: Path, mode: Literal["rw", "ro"]) -> sqlite3.Connection:
    """Opens an existing database.

    With synchronous = NORMAL a commit is with the operating system when it returns, so that no `kill -9` can
    undo it. A power failure can undo the last ones, never damage the rest; resuming evaluates those again.
    """
    uri = f"{database.absolute().as_uri()}?mode={mode}"
    if mode == "ro" and not _can_share(database):
        uri += "&immutable=1"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_SECONDS)
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def check_file(database: Path) -> None:
    """Refuses a file that is too small for a database.

    The file is not opened here: closing it would drop the locks that SQLite holds on it for a writer in this
    same process.

    Raises:
        StoreError: missing, or smaller than any database.
    """
    folder = database.parent
    if not database.is_file():
        state = "has no" if folder.is_dir() else "is no folder, so it has no"
        raise StoreError(
            f"{folder} {state} {DATABASE_NAME}, but every run folder has one. "
            "Check the path, or start a new run with --run-dir"
        )
    if (size := database.stat().st_size) < _SMALLEST_PAGE:
        raise StoreError(
            f"{database} has {size} bytes, but the smallest SQLite database has {_SMALLEST_PAGE}: "
            f"it is truncated or something else. {_LEFT}"
        )


def check_content(connection: sqlite3.Connection, database: Path) -> None:
    """Reads the whole database once.

    Raises:
        StoreError: not a database, of another program, of another version, or with a page missing or damaged.
    """
    with report_failures("read", database, then="try again"):
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if application != APPLICATION_ID:
            raise StoreError(
                f"{database} belongs to another program: its application id is {application:#x}, "
                f"but a run of kdzero_gp has {APPLICATION_ID:#x}. {_LEFT}"
            )
        if version != SCHEMA_VERSION:
            age = "a newer" if version > SCHEMA_VERSION else "another"
            raise StoreError(
                f"{database} has schema version {version}, but this kdzero_gp works with version "
                f"{SCHEMA_VERSION}. It was left as it is: open it with {age} version of kdzero_gp"
            )
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            cause = " ".join(verdict.split())
            raise StoreError(f"{database} is damaged or truncated: {cause}. {_LEFT}")
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        if missing := sorted({"run", "evaluations", "generations", "results", "states", "trace"} - tables):
            raise StoreError(f"{database} is damaged: it lacks {', '.join(missing)}. {_LEFT}")
        if not connection.execute("SELECT 1 FROM run WHERE key = 'config'").fetchone():
            raise StoreError(f"{database} is damaged: it holds no configuration. {_LEFT}")


def _can_share(database: Path) -> bool:
    """Tells whether a reader can coordinate with a writer, which takes files beside the database.

    Where there are none and none can be made (a run on a read-only medium) there is no writer either.
    """
    if any(database.with_name(database.name + end).exists() for end in ("-wal", "-shm")):
        return True
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        return error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
    except sqlite3.Error:
        return True  # some other fault, which the real opening reports
    return True
