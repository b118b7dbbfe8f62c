"""The folder of a new run: its name, and a look at whether it will do before anything slow begins."""

import datetime
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kdzero_gp.store.failures import reported
from kdzero_gp.store.run_folder import make_empty


def default_folder(teacher: str, student: str, parent: str = "runs") -> Path:
    """`parent/` with the date, the time and the pair; a number behind it where two begin in one second."""
    stamp = datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    first = Path(parent) / f"{stamp}_{re.sub(r'[^A-Za-z0-9._-]+', '_', f'{teacher}-{student}')}"
    folder, number = first, 1
    while folder.exists():
        number += 1
        folder = first.with_name(f"{first.name}_{number}")
    return folder


@contextmanager
def reserved(folder: Path) -> Iterator[None]:
    """Makes the folder of a new run at once; if the block fails before it put something there, unmakes it again.

    Raises:
        StoreError: it holds something, or cannot be made or written.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        make_empty(folder)
        with reported("write to", folder, then="try again, or take another --run-dir"):
            tempfile.TemporaryFile(dir=folder).close()
        yield
    except BaseException:
        for path in made:
            with suppress(OSError):  # what holds something stays
                path.rmdir()
        raise
