"""A folder may come from anywhere: code that it names is run only if the user names it too."""

from collections.abc import Mapping
from typing import Any

from kdzero_gp.errors import ConfigError
from kdzero_gp.gallery.plain_text import printable
from kdzero_gp.models.library import LIBRARIES


def require_named_networks(holder: str, stored: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Refuses a teacher or student that is a factory of somebody's own, unless the same is given.

    Args:
        holder: what has stored it, for the message.
        stored, given: options, of which `teacher` and `student` are looked at.

    Raises:
        ConfigError: one is not named by the user.
    """
    for role in ("teacher", "student"):
        name = str(stored.get(role))
        if ":" in name and name.partition(":")[0] not in LIBRARIES and given.get(role) != name:
            shown = printable(name, limit=80)
            raise ConfigError(
                f"{holder} has a {role} of somebody's own, {shown}, whose code would be run; if you trust it, "
                f"add --{role} {shown}"
            )
