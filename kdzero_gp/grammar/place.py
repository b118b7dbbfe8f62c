"""Where a user declared something: the file and line that a message points at."""

import inspect
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
"""What the places of built-in operations are relative to."""
UNKNOWN = "<interactive>", 0
"""Typed at a bare prompt: there is no source to point at."""


def place_of(thing: Any) -> str:
    """Gives `FILE:LINE` of a function or class; for anything else, the running line outside this package."""
    code = inspect.unwrap(thing) if callable(thing) else thing
    file, line = _declared(code) if inspect.isfunction(code) or isinstance(code, type) else _running()
    return f"{_readable(file)}:{line}"


def _declared(thing: Any) -> tuple[str, int]:
    try:
        return inspect.getsourcefile(thing) or "?", inspect.getsourcelines(thing)[1]
    except (OSError, TypeError):
        pass
    forward = getattr(getattr(thing, "forward", None), "__code__", None)  # of a class in a notebook cell
    return (forward.co_filename, forward.co_firstlineno) if forward is not None else UNKNOWN


def _running() -> tuple[str, int]:
    frame = inspect.currentframe()
    while frame is not None and str(frame.f_globals.get("__name__", "")).partition(".")[0] == "kdzero_gp":
        frame = frame.f_back
    return (frame.f_code.co_filename, frame.f_lineno) if frame is not None else UNKNOWN


def _readable(file: str) -> str:
    """Gives a built-in's file relative to the project, since that is what a reader can open; any other as it is."""
    path = Path(file)
    return str(path.relative_to(PROJECT)) if path.is_relative_to(PROJECT) else file
