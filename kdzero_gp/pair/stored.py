"""The options that a folder has stored: of what is gone on with, and of a pair that is put together again."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field

from kdzero_gp.console.options import Options
from kdzero_gp.errors import ConfigError, StoreError
from kdzero_gp.models.user import require_named_networks
from kdzero_gp.pair.config import PairConfig
from kdzero_gp.store.config_difference import config_differences

Config = TypeVar("Config", bound=PairConfig)


def resume_config(
    folder: Path, stored: Mapping[str, Any], options: Mapping[str, Any], make: Callable[..., Config], *, what: str
) -> Config:
    """Makes the configuration of what is gone on with: the stored one.

    Args:
        stored: all options, as the folder has them.
        options: those that are given now, which must agree.
        make: validates options.
        what: `run` or `training`, for messages.

    Raises:
        StoreError: the stored ones are of another program version or machine.
        ConfigError: an option was given that differs from its stored value.
    """
    try:
        began = make(**stored)
    except ConfigError as error:
        raise StoreError(
            f"{folder} cannot be gone on with here: {error}. Use the program version and machine it began with"
        ) from error
    config = make(**(dict(stored) | dict(options)))
    if differing := config_differences(began.identity, config.identity, ()):
        raise ConfigError(
            f"{folder} holds a {what} of another configuration:\n  " + "\n  ".join(differing) + "\n"
            f"A {what} goes on under the configuration it was started with: leave these options out, or begin a new "
            f"{what} by --run-dir"
        )
    return config


class StoredPairOptions(Options):
    """What stands in place of the stored options of a pair that is put together again: the folder may be another's."""

    teacher: str | None = Field(None, description="The teacher, where it is a network of your own.")
    student: str | None = Field(None, description="The student, where it is a network of your own.")
    teacher_weights: str | None = Field(None, description="The teacher's checkpoint, where it has moved.")
    data: str | None = Field(None, description="The data set, where it has moved.")
    device: str | None = Field(None, description="cpu (default), cuda, cuda:N or auto.")
    threads: int | None = Field(None, description="Torch threads (default: as in the folder).")


def options_here(holder: str, stored: Mapping[str, Any], chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Puts what the user has chosen in place of the stored options; the device is the CPU by default.

    Args:
        holder: what has stored them, for messages.
        chosen: of `StoredPairOptions`, by name; None where they are not given.

    Raises:
        ConfigError: a network's code would be run that the user has not named.
    """
    given = {name: value for name, value in chosen.items() if value is not None}
    found = {**stored, "device": "cpu"}
    require_named_networks(holder, found, given)
    return found | given
