"""The folder for what is computed once: trained teachers and their outputs."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from kdzero_gp.errors import ConfigError

CACHE_VARIABLE = "KDZERO_GP_CACHE"


def cache_folder(cache_dir: str | Path | None = None) -> Path:
    """The folder, made if need be.

    Args:
        cache_dir: None means `$KDZERO_GP_CACHE`, or else `~/.cache/kdzero_gp`.

    Raises:
        ConfigError: it cannot be written.
    """
    folder = Path(cache_dir or os.environ.get(CACHE_VARIABLE) or "~/.cache/kdzero_gp").expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise ConfigError(
            f"The cache folder {folder} cannot be written ({error.strerror or error}), but trained teachers and their "
            f"outputs are kept there; set the environment variable {CACHE_VARIABLE} to a folder that can"
        ) from error
