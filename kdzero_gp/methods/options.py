"""A method as a user writes it: `dkd(beta=8)`, its options in parentheses."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping

from kdzero_gp.errors import ConfigError

Option = float | int | str | bool
_CALL = re.compile(r"\s*([A-Za-z_]\w*)\s*(?:\((.*)\))?\s*", re.DOTALL)
_OPTION = re.compile(r"\s*([A-Za-z_]\w*)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([-+.\w]+))\s*")


def read_call(text: str) -> tuple[str, dict[str, str]] | None:
    """Name and options of `name` or `name(option=value, …)`, the values as written; None where it is neither."""
    match = _CALL.fullmatch(text)
    if match is None:
        return None
    name, inside = match[1], (match[2] or "").strip()
    options: dict[str, str] = {}
    for part in inside.split(",") if inside else ():
        option = _OPTION.fullmatch(part)
        if option is None or option[1] in options:
            return None
        options[option[1]] = next(value for value in option.groups()[1:] if value is not None)
    return name, options


def written(name: str, options: Mapping[str, Option]) -> str:
    """Gives the text form of a method with options, sorted by name."""
    if not options:
        return name
    return f"{name}({', '.join(f'{key}={shown(options[key])}' for key in sorted(options))})"


def checked_options(method: str, options: Mapping[str, Option], defaults: Mapping[str, Option]) -> dict[str, Option]:
    """Gives those options that differ from their defaults, each of its default's kind.

    Raises:
        ConfigError: an unknown option, or a value of another kind.
    """
    found: dict[str, Option] = {}
    for name, value in options.items():
        if name not in defaults:
            close = difflib.get_close_matches(name, defaults, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            known = ", ".join(f"{key}={shown(default)}" for key, default in defaults.items()) or "none"
            raise ConfigError(f"the method {method} has no option '{name}'.{hint} Its options: {known}")
        converted = _converted(method, name, value, defaults[name])
        if converted != defaults[name]:
            found[name] = converted
    return found


def _converted(method: str, name: str, value: Option, default: Option) -> Option:
    text = shown(value)
    kind = (
        "true or false"
        if isinstance(default, bool)
        else {int: "a whole number", float: "a number"}.get(type(default), "a word")
    )
    try:
        if isinstance(default, bool):
            return {"true": True, "false": False}[text.lower()]
        if isinstance(default, int):
            return int(text)
        if isinstance(default, float):
            number = float(text)
            if not math.isfinite(number):
                raise ValueError
            return number
    except (ValueError, KeyError):
        raise ConfigError(
            f"the method {method} has the option {name}={text}, but it must be {kind}, as in {name}={shown(default)}"
        ) from None
    return text


def shown(value: Option) -> str:
    """Gives a value as it is written in a method's parentheses."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)
