"""`package.module:factory`: a network out of the user's own code."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import nn

from kdzero_gp.errors import ConfigError, ModelError
from kdzero_gp.models.library import LIBRARIES
from kdzero_gp.untrusted import printable


def build_user_model(
    spec: str, *, num_classes: int, in_channels: int, image_size: tuple[int, int] | None = None
) -> nn.Module:
    """Imports `module` and calls `factory` of `spec = "module:factory"`.

    `in_channels` and `image_size`, (H, W), are passed only to a factory whose signature names them. Importing runs the
    module's code: the user asks for that by naming it, as with any script of their own.

    Raises:
        ModelError: not importable, no such name in the module, not callable, raised, or gave something else than a
            `torch.nn.Module`.
    """
    factory = _find(spec)
    arguments: dict[str, Any] = {"num_classes": num_classes}
    if _names_parameter(factory, "in_channels"):
        arguments["in_channels"] = in_channels
    if image_size is not None and _names_parameter(factory, "image_size"):
        arguments["image_size"] = image_size
    try:
        model = factory(**arguments)
    except Exception as error:
        call = ", ".join(f"{key}={value}" for key, value in arguments.items())
        raise ModelError(f"'{spec}' called with ({call}) raised {type(error).__name__}: {error}") from error
    if not isinstance(model, nn.Module):
        raise ModelError(f"'{spec}' returned a {type(model).__name__}, but must return a torch.nn.Module")
    return model


def _find(spec: str) -> Callable[..., Any]:
    module_name, _, attribute = spec.partition(":")
    if not all(part.isidentifier() for part in module_name.split(".")) or not attribute.isidentifier():
        raise ModelError(f"'{spec}' is not of the form package.module:factory, such as 'my_models:small_net'")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # the user's module may fail in any way while it is imported
        raise ModelError(
            f"cannot import '{module_name}' (of '{spec}'): {type(error).__name__}: {error}. "
            "The module has to be on the Python path: start from its folder or set PYTHONPATH"
        ) from error
    if not hasattr(module, attribute):
        public = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
        raise ModelError(
            f"module '{module_name}' has no '{attribute}' (of '{spec}'). Callable in it: "
            f"{', '.join(public) or 'nothing'}"
        )
    factory = getattr(module, attribute)
    if not callable(factory):
        raise ModelError(
            f"'{spec}' is a {type(factory).__name__}, but must be a function or class that takes num_classes "
            "and gives a torch.nn.Module"
        )
    found: Callable[..., Any] = factory
    return found


def _names_parameter(factory: Callable[..., Any], name: str) -> bool:
    try:
        return name in inspect.signature(factory).parameters
    except (TypeError, ValueError):  # some callables written in C have no signature
        return False


def is_user_model(spec: str) -> bool:
    """Tells whether a network's name is that of a factory of the user's own."""
    return ":" in spec and spec.partition(":")[0] not in LIBRARIES


def source_digest(spec: str, model: nn.Module) -> str:
    """16 hex digits of the source files that a network of the user's own comes from.

    Those are the file of the factory and the files of the classes of all its modules, without installed packages.

    Args:
        spec: `module:factory`.
        model: what it gave.

    Raises:
        ModelError: the factory cannot be found.
    """
    factory = _find(spec)
    origins = {getattr(factory, "__module__", spec.partition(":")[0]), spec.partition(":")[0]}
    origins |= {type(module).__module__ for module in model.modules()}
    digest = hashlib.blake2b(digest_size=8)
    for origin in sorted(origins):
        file = getattr(sys.modules.get(origin), "__file__", None)
        if file is not None and not {"site-packages", "dist-packages"} & set(Path(file).parts):
            digest.update(repr(origin).encode())
            digest.update(Path(file).read_bytes())
    return digest.hexdigest()


def require_named_networks(holder: str, stored: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Refuses a teacher or student that is a user's factory, unless that factory is given.

    Args:
        holder: what has stored it, for the message.
        stored, given: options, of which `teacher` and `student` are looked at.

    Raises:
        ConfigError: one is not named by the user.
    """
    for role in ("teacher", "student"):
        name = str(stored.get(role))
        if is_user_model(name) and given.get(role) != name:
            shown = printable(name, limit=80)
            raise ConfigError(
                f"{holder} has a {role} of somebody's own, {shown}, whose code would be run; if you trust it, "
                f"add --{role} {shown}"
            )
