"""What `--fuse` may be."""

import re
from typing import cast

from kdzero_gp.errors import ConfigError
from kdzero_gp.evaluate.fused_ways import WAYS, Way


def parse_fuse(text: str) -> tuple[int, Way | None]:
    """How many students, and how they are stacked (None leaves that to the student).

    Raises:
        ConfigError: neither a number nor NUMBER:WAY.
    """
    match = re.fullmatch(rf"(\d{{1,4}})(?::({'|'.join(WAYS)}))?", text)
    if match is None or not 1 <= int(match[1]) <= 1024:
        raise ConfigError(
            f"--fuse is {text!r}, but must be auto, a number of students from 1 to 1024, or such a number with the way "
            f"to stack them, as 8:{WAYS[0]} or 8:{WAYS[1]}; 1 trains students one by one"
        )
    return int(match[1]), cast(Way | None, match[2])
