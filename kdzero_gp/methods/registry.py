"""The hand-designed methods by name: one file of this folder each, found by walking it."""

import difflib
import pkgutil
from collections.abc import Iterable
from importlib import import_module

from kdzero_gp import methods as folder
from kdzero_gp.errors import ConfigError
from kdzero_gp.methods.method import Method

MACHINERY = ("method", "named", "registry")
"""Files of the folder that hold no method."""


def _walk() -> dict[str, Method]:
    found: dict[str, Method] = {}
    for module in pkgutil.iter_modules(folder.__path__, f"{folder.__name__}."):
        if module.name.rpartition(".")[2] in MACHINERY:
            continue
        declared = vars(import_module(module.name)).values()
        found |= {value.name: value for value in declared if isinstance(value, Method)}
    alone = found.pop("none")
    return dict(sorted(found.items())) | {"none": alone}


METHODS: dict[str, Method] = _walk()
"""By name, in the order of lists and messages: sorted, the student alone at the end."""


def method(name: str) -> Method:
    """The method of a name.

    Raises:
        ConfigError: there is none; names the known and the closest ones.
    """
    if name not in METHODS:
        close = difflib.get_close_matches(name, METHODS, n=1)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        raise ConfigError(f"Unknown method '{name}'.{hint} Known: {', '.join(METHODS)}")
    return METHODS[name]


def methods(names: Iterable[str]) -> list[Method]:
    """The methods of several names, each once, in order."""
    return [method(name) for name in dict.fromkeys(names)]
