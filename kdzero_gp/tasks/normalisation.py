"""A network's own normalisation from what the user typed."""

from __future__ import annotations

import difflib

from kdzero_gp.data.source import CIFAR10, CIFAR100, IMAGENET, Source
from kdzero_gp.errors import ConfigError

Constants = tuple[tuple[float, ...], tuple[float, ...]]
NAMED: dict[str, Source] = {"cifar10": CIFAR10, "cifar100": CIFAR100, "imagenet": IMAGENET}


def parse_normalisation(text: str) -> Constants | None:
    """Mean and standard deviation per channel, of pixels between 0 and 1; None for `data`, the data set's own.

    Args:
        text: `data`, `cifar10`, `cifar100`, `imagenet`, or the numbers: `0.507,0.487,0.441/0.267,0.256,0.276`.

    Raises:
        ConfigError: anything else.
    """
    if text == "data":
        return None
    if text in NAMED:
        mean, std = NAMED[text].mean, NAMED[text].std
        if mean is None or std is None:
            raise AssertionError(f"{text} has no published constants")
        return mean, std
    try:
        mean, std = (tuple(float(number) for number in part.split(",")) for part in text.split("/"))
    except ValueError:
        close = difflib.get_close_matches(text, ["data", *NAMED], n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise ConfigError(
            f"--teacher-norm is '{text}', but must be data, {', '.join(NAMED)}, or mean and standard deviation of each "
            f"channel, such as 0.5,0.5,0.5/0.25,0.25,0.25{hint}"
        ) from None
    if len(mean) != len(std) or not all(0 < number < float("inf") for number in std):
        raise ConfigError(
            f"--teacher-norm is '{text}', but must have as many standard deviations as means, all above 0"
        )
    return mean, std
