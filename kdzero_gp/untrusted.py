"""Values and texts of run folders and users, made fit to be shown: what is of a wrong type counts as missing."""

import math
import os
import re
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kdzero_gp.errors import PrimitiveError, Stop

_UNFIT = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # control characters: XML forbids most, C strings end at the first
    "\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"  # invisible ones, and those that turn the reading direction
    "\ud800-\udfff\ufffe\uffff]"  # no characters at all
)


def printable(text: str, *, limit: int | None = None) -> str:
    """Gives the text with every unfit character as its escape (`\\x00`, `\\u202e`).

    Args:
        limit: number of characters above which the rest is left out and counted.
    """
    shown = _UNFIT.sub(lambda match: match[0].encode("unicode_escape", "surrogatepass").decode(), text)
    if limit is not None and len(shown) > limit:
        return f"{shown[:limit]}… ({len(shown) - limit} more characters)"
    return shown


def error_text(error: BaseException, *, limit: int = 500) -> str:
    """Gives `Type: message` of any exception, also where its own text raises or is endless."""
    try:
        message = str(error)
    except BaseException as fault:  # a foreign __str__ may raise anything
        if isinstance(fault, KeyboardInterrupt):
            raise
        message = "(its text cannot be printed)"
    name = printable(type(error).__name__, limit=100)
    return f"{name}: {printable(message, limit=limit)}" if message else name


@contextmanager
def only_exceptions(who: Callable[[], str]) -> Iterator[None]:
    """Turns what a foreign function raises beyond `Exception` into a `PrimitiveError`, so that it ends no program.

    What stops the program from outside passes, and so does SystemExit, which callers know. A KeyboardInterrupt is the
    user's only where Python's own handler of Ctrl-C is in place: the commands raise another class.

    Args:
        who: subject of the message.
    """
    try:
        yield
    except (Exception, SystemExit, Stop):
        raise
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            raise
        raise PrimitiveError(f"{who()} raised {error_text(error)}; a fault must be an Exception") from error


def user_path(text: str | Path) -> Path:
    """Gives the path that a user typed, with `~` as his home; `~name` of an unknown user stays as it is, a path that
    nothing lies at, so that whoever looks there says what is missing.
    """
    return Path(os.path.expanduser(text))


def rounded(value: float) -> str:
    """Gives a number to three significant digits, as it stands in drawings and tables: 0.00321, 1230, 4.5e-07."""
    text = f"{value:.3g}"
    return f"{float(text):.0f}" if 1000 <= abs(value) < 1e6 else text


def finite_number(value: object) -> float | None:
    """Gives a finite number as float, None for anything else (a boolean is no number)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def text(value: Any) -> str:
    """Formats any value for people."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {text(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(text(item) for item in value)
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def mapping(value: Any) -> Mapping[str, Any]:
    """Gives the value if it is a mapping, otherwise an empty one."""
    return value if isinstance(value, Mapping) else {}


def sequence(value: Any) -> Sequence[Any]:
    """Gives the value if it is a list, otherwise an empty one."""
    return value if isinstance(value, list | tuple) else ()
