"""The folder of a comparison: what it compares under, and one file for every finished training.

A training is kept from the moment its file is there, which appears whole or not at all. Files of several machines can
be put together: their names tell what was trained, not when or where.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from filelock import FileLock, Timeout

from kdzero_gp.compare.entries import Entry
from kdzero_gp.errors import StoreError
from kdzero_gp.evaluate.candidate import FullTraining
from kdzero_gp.store.config_difference import config_differences
from kdzero_gp.store.failures import report_failures
from kdzero_gp.store.json_text import decode, encode
from kdzero_gp.tasks.kinds import DEFAULT, kind_of
from kdzero_gp.whole_file import write_whole

FORMAT = "kdzero_gp.comparison"
VERSION = 1
SETTINGS, TRAININGS, LOCK = "settings.json", "trainings", "compare.lock"
THEN = "give the same command again"


class ComparisonFolder:
    """A folder that trainings are added to; one process at a time.

    Args:
        path: new, empty, or of an earlier comparison under the same settings.
        settings: everything that a result depends on but the method and the seed's number.

    Raises:
        StoreError: it holds something else or a comparison under other settings, cannot be written, or another
            process is at it. Nothing was changed then.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self.path = path.absolute()
        self._quality = kind_of(settings.get("task", DEFAULT)).quality.key
        with report_failures("create", self.path, then="give another --out"):
            self.path.mkdir(parents=True, exist_ok=True)
            held = sorted(entry.name for entry in self.path.iterdir() if entry.name != LOCK)
        self._lock = FileLock(str(self.path / LOCK), timeout=0, thread_local=False)
        try:
            with report_failures("lock", self.path, then="give another --out"):
                self._lock.acquire()
        except StoreError as error:
            if not isinstance(error.__cause__, Timeout):
                raise
            raise StoreError(
                f"another process is adding to the comparison in {self.path}; wait for it, stop it, or give another "
                "--out"
            ) from None
        try:
            self._begin(settings, held)
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()

    def _begin(self, settings: Mapping[str, Any], held: list[str]) -> None:
        file = self.path / SETTINGS
        if not file.exists():
            if any(not name.startswith(".") for name in held):  # a dot: what a killed writer left
                raise StoreError(
                    f"{self.path} is not empty (it holds {held[0]!r}) and no comparison; give --out a new folder, or "
                    "one that an earlier comparison made"
                )
            write_whole(file, [_pretty({"format": FORMAT, "version": VERSION, **settings})], then=THEN)
        differing = config_differences(read_settings(self.path), decode(encode(settings)), ())
        if differing:
            lines = "\n  ".join(line.replace("the run has", "the comparison has") for line in differing)
            raise StoreError(
                f"{self.path} holds a comparison under other settings:\n  {lines}\n"
                "Only trainings under one recipe, on one pair and the same data can be compared: leave these options "
                "out, or give another --out"
            )
        with report_failures("create", self.path / TRAININGS, then=THEN):
            (self.path / TRAININGS).mkdir(exist_ok=True)

    def result(self, entry: Entry, number: int) -> FullTraining | None:
        """Reads what the training of an entry with the seed of this number gave; None where it has not been done.

        Raises:
            StoreError: the file is damaged, or of something else.
        """
        return read_training(self._file(entry, number), entry, number, self._quality)

    def keep(self, entry: Entry, number: int, result: FullTraining) -> None:
        """Stores a training for good.

        Raises:
            StoreError: it cannot be written.
        """
        trained = {name: getattr(entry.candidate, name) for name in ("tree", "calibration", "ce_weight", "warmup")}
        if entry.candidate.module is not None:
            trained["module"] = entry.candidate.module
        record = {"key": entry.key, "label": entry.label, **trained, "seed": number, **asdict(result)}
        write_whole(self._file(entry, number), [_pretty(record)], then=THEN)

    def forget(self, entry: Entry, number: int) -> None:
        """Removes a training, that it be done again."""
        with report_failures("remove", self._file(entry, number), then=THEN):
            self._file(entry, number).unlink(missing_ok=True)

    def _file(self, entry: Entry, number: int) -> Path:
        return self.path / TRAININGS / f"{entry.key}-{number}.json"


def read_settings(folder: Path) -> dict[str, Any]:
    """Reads the settings of the comparison in a folder, as they were given.

    Raises:
        StoreError: it holds none.
    """
    path = folder / SETTINGS
    with report_failures("read", path, then="give the folder of a comparison"):
        text = path.read_text(encoding="utf-8")
    record = _object(text, path)
    if record.pop("format", None) != FORMAT or record.pop("version", None) != VERSION:
        raise StoreError(
            f"{path} is not the file of a comparison that this version reads (`format` {FORMAT}, `version` {VERSION}); "
            "give another --out"
        )
    return record


def read_training(path: Path, entry: Entry, number: int, quality: str) -> FullTraining | None:
    """Reads a finished training's result; None where there is no file.

    Args:
        quality: the part that every finished training has.

    Raises:
        StoreError: the file is damaged, or of another training.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"cannot read {path}: {error}; remove it, and the training is done again") from error
    record = _object(text, path)
    parts, seconds, failure = (record.get(name) for name in ("parts", "seconds", "error"))
    named = (record.get("key"), record.get("seed")) == (entry.key, number)
    ended = isinstance(failure, str) if parts is None else failure is None and _numbers(parts) and quality in parts
    if not (named and ended and isinstance(seconds, int | float)):
        raise StoreError(
            f"{path} is not the training of {entry.label} with seed {number}, or it is damaged; remove it, and the "
            "training is done again"
        )
    return FullTraining(parts, float(seconds), failure)


def _numbers(parts: object) -> bool:
    return isinstance(parts, dict) and all(isinstance(value, int | float) for value in parts.values())


def _object(text: str, path: Path) -> dict[str, Any]:
    try:
        record = decode(text)
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{path} is not JSON: {error}; remove it, or restore it from a copy") from error
    if not isinstance(record, dict):
        raise StoreError(f"{path} holds no JSON object; remove it, or restore it from a copy")
    return record


def _pretty(record: Mapping[str, Any]) -> str:
    """Gives the record over several lines, numbers as the store writes them."""
    return json.dumps(json.loads(encode(record)), indent=1) + "\n"
