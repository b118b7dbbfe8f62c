"""The folder around the database: making it, and the configuration to read in it."""

from pathlib import Path
from typing import Any

import yaml

from kdzero_gp.errors import StoreError
from kdzero_gp.store.failures import reported
from kdzero_gp.store.lock import LOCK_NAME
from kdzero_gp.store.schema import DATABASE_NAME, UNFINISHED_NAME
from kdzero_gp.whole_file import write_whole

CONFIG_NAME = "config.yaml"


def make_empty(folder: Path) -> None:
    """Make the folder, or see that it is empty.

    Raises:
        StoreError: it cannot be made, cannot be listed, or holds something.
    """
    with reported("create the run folder", folder, then="try again, or take another --run-dir"):
        folder.mkdir(parents=True, exist_ok=True)
        names = sorted(path.name for path in folder.iterdir())
    # What a creation leaves that was killed before it had made a run.
    names = [name for name in names if name != LOCK_NAME and not name.startswith(UNFINISHED_NAME)]
    if DATABASE_NAME in names:
        raise StoreError(
            f"{folder} already holds a run, and a new run needs a new or empty folder. "
            f"Go on with that one by --resume {folder}, or take another --run-dir"
        )
    if names:
        raise StoreError(
            f"{folder} is not empty (it holds {names[0]!r}), and a new run needs a new or empty folder. "
            "Take another --run-dir; to go on with an earlier run name its folder by --resume"
        )


def write_config(folder: Path, config: dict[str, Any]) -> None:
    """Write `config.yaml`, for people: the program itself reads the configuration from the database."""
    text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
    note = f"# What this run was started with, to read. Changing it changes nothing: {DATABASE_NAME} decides.\n"
    write_whole(folder / CONFIG_NAME, [note, text], then=f"go on with --resume {folder}")
