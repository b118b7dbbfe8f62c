"""Failures of SQLite or the operating system, as a `StoreError` with the way out."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kdzero_gp.errors import StoreError

_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
_LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)
_DENIED = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH)
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


@contextmanager
def report_failures(doing: str, path: Path, *, then: str) -> Iterator[None]:
    """Turns the failures of the block into a `StoreError`.

    Args:
        doing: the verb of the message, as in "cannot `write` runs/a/run.sqlite".
        path: the file or folder concerned.
        then: what the user does once the cause is mended.
    """
    try:
        yield
    except sqlite3.ProgrammingError:
        raise  # such as use after closing: a mistake in the program, which no user can mend
    except sqlite3.Error as error:
        raise StoreError(f"cannot {doing} {path}: {error}. {_way_out(error, then)}") from error
    except OSError as error:
        cause = error.strerror or error
        raise StoreError(f"cannot {doing} {path}: {cause}. Mend that, then {then}") from error


def _way_out(error: sqlite3.Error, then: str) -> str:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the kind, the rest details
    if code in _FULL:
        return (
            "The disk is full, or a limit on file sizes is reached, or the disk fails; "
            f"everything recorded before is safe. Free some space, then {then}"
        )
    if code in _LOCKED:
        return f"Another program holds the database locked; close it, then {then}"
    if code in _DENIED:
        return f"The folder and its files must be accessible to you; see to that, then {then}"
    if code in _DAMAGED:
        return "The file is damaged and was left as it is: restore it from a copy, or take another --run-dir"
    return f"Mend that, then {then}"
