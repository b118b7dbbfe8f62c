"""The differences between a run's configuration and the one it is to be continued with."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from kdzero_gp.store.json_text import encode

_ABSENT = "absent"


def config_differences(stored: Mapping[str, Any], given: Mapping[str, Any], ignore: Collection[str]) -> list[str]:
    """Lists a line "key: the run has X, but Y was given" for every key that differs; inner keys are dotted.

    Args:
        ignore: keys that may differ because they do not change what the run finds, such as the number of
            workers; one that names a mapping covers all of it.
    """
    before, now = dict(_leaves(stored)), dict(_leaves(given))
    return [
        f"{key}: the run has {before.get(key, _ABSENT)}, but {now.get(key, _ABSENT)} was given"
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key) and not any(key == name or key.startswith(f"{name}.") for name in ignore)
    ]


def _leaves(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            # As text, since in Python 1 == 1.0 == True and nan != nan.
            yield f"{prefix}{key}", encode(value)
