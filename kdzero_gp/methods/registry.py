"""The hand-designed methods by name: one file of this folder each, found by walking it."""

import difflib
import pkgutil
from collections.abc import Iterable, Mapping
from importlib import import_module
from types import MappingProxyType

from kdzero_gp import methods as folder
from kdzero_gp.errors import ConfigError
from kdzero_gp.methods.loss import MethodLoss
from kdzero_gp.methods.method import Method
from kdzero_gp.methods.options import read_call

MACHINERY = ("listing", "named", "registry")
"""Files of the folder that hold no method and import this one."""


def _walk() -> dict[str, Method]:
    found: dict[str, Method] = {}
    for module in pkgutil.iter_modules(folder.__path__, f"{folder.__name__}."):
        if module.name.rpartition(".")[2] in MACHINERY:
            continue
        for value in vars(import_module(module.name)).values():
            declared = value.method if isinstance(value, type) and issubclass(value, MethodLoss) else value
            if isinstance(declared, Method):
                found[declared.name] = declared
    alone = found.pop("none")
    return dict(sorted(found.items())) | {"none": alone}


METHODS: Mapping[str, Method] = MappingProxyType(_walk())
"""By name, in the order of lists and messages: sorted, the student alone at the end."""


def method(text: str) -> Method:
    """Gives the method of a name, or of a name with options such as `dkd(beta=8)`.

    Raises:
        ConfigError: there is none, with the known and the closest ones; or it has no such option.
    """
    name, options = read_call(text) or (text, {})
    if name not in METHODS:
        close = difflib.get_close_matches(name, METHODS, n=1)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        raise ConfigError(f"Unknown method '{name}'.{hint} Known: {', '.join(METHODS)}")
    return METHODS[name].having(options) if options else METHODS[name]


def names_method(text: str) -> bool:
    """Tells whether a text is a method's name, or one with options in parentheses."""
    read = read_call(text)
    return read is not None and read[0] in METHODS


def methods(names: Iterable[str]) -> list[Method]:
    """Gives the methods of several names, each once, in order."""
    return [method(name) for name in dict.fromkeys(names)]
