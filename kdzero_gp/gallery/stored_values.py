"""Values of a run folder that may be of any type: what is of the wrong one counts as missing."""

from collections.abc import Mapping, Sequence
from typing import Any


def text(value: Any) -> str:
    """A value for people, whatever it is."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {text(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(text(item) for item in value)
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is a mapping, otherwise an empty one."""
    return value if isinstance(value, Mapping) else {}


def sequence(value: Any) -> Sequence[Any]:
    """The value if it is a list, otherwise an empty one."""
    return value if isinstance(value, list | tuple) else ()
