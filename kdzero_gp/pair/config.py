"""The options of a pair, and how a wrong one is explained."""

import difflib
from collections.abc import Collection, Iterable
from typing import Any

from kdzero_gp.errors import ConfigError, KdzeroError


def require_known(options: Iterable[str], known: Collection[str], whose: str) -> None:
    """Checks the names of options.

    Args:
        whose: subject and verb of the message, such as `a comparison has`.

    Raises:
        ConfigError: an unknown one; names the closest, or all.
    """
    for name in options:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean `{close[0]}`?" if close else f"; known are {', '.join(known)}"
            raise ConfigError(f"{whose} no option `{name}`{hint}")


def explain(fault: Any) -> str:
    cause = fault.get("ctx", {}).get("error")
    if isinstance(cause, KdzeroError):
        return str(cause)
    name = "--" + "-".join(str(part) for part in fault["loc"][:1]).replace("_", "-")
    rule = fault["msg"].removeprefix("Input ").removeprefix("Value error, ")
    return f"{name} is {fault['input']!r}, but {rule}"
