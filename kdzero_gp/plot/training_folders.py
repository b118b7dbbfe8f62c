"""Folders of final trainings, as `python -m kdzero_gp.train` leaves them, read as the untrusted files that they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from kdzero_gp.compare.entries import LABEL
from kdzero_gp.errors import ConfigError, StoreError
from kdzero_gp.methods.named import PLUS
from kdzero_gp.methods.registry import METHODS
from kdzero_gp.pair.own_code import CODE
from kdzero_gp.plot.style import Kind
from kdzero_gp.store.failures import report_failures
from kdzero_gp.tasks.kind import TaskKind
from kdzero_gp.tasks.kinds import DEFAULT, kind_of
from kdzero_gp.train.files import CONFIG_NAME, LOG_NAME, RESULT_NAME, STUDENT_NAME, read_json
from kdzero_gp.untrusted import printable, user_path

LONGEST = 32
"""Characters of a label in a figure."""
MOST_BYTES = 50_000_000
PAIR = (
    *(
        "task",
        "data",
        "limit",
        "teacher",
        "student",
        "teacher_weights",
        "teacher_input",
        "student_input",
        "teacher_norm",
        "taps",
    ),
)

Finite = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Epoch(BaseModel):
    """One line of the log: mean loss, its weighted parts by name, and validation accuracy where it was measured."""

    model_config = ConfigDict(frozen=True)

    epoch: Annotated[int, Field(ge=1)]
    loss: Finite
    terms: dict[str, Finite]
    val_accuracy: Share | None


class Config(BaseModel):
    """What the figures need of a training's configuration; the rest is left to `make_fit_config`."""

    model_config = ConfigDict(frozen=True)

    distiller: str
    seed: int
    data: str
    teacher: str
    student: str
    task: str = DEFAULT


class Result(BaseModel):
    """What the figures need of a training's result; `quality` is what its kind of task ranks students by."""

    model_config = ConfigDict(frozen=True)

    quality: Share
    tree: str | None
    epochs: Annotated[int, Field(ge=1)]


@dataclass(frozen=True)
class Training:
    """One folder.

    Attributes:
        label: what the user calls it, or else its distiller.
        config: validated for the figures.
        options: the whole configuration, as `make_fit_config` takes it.
    """

    folder: Path
    label: str
    config: Config
    options: dict[str, Any]

    @property
    def kind(self) -> Kind:
        """What is trained: the student alone, a hand-designed method, or anything else."""
        if self.config.distiller == "none":
            return "alone"
        return "method" if self.config.distiller in METHODS else "evolved"

    @property
    def ce_weight(self) -> float:
        """Of the cross-entropy beside the distiller; a sum has that of its first part."""
        method = METHODS.get(self.config.distiller.partition(PLUS)[0])
        return 1.0 if method is None else method.ce_weight

    @property
    def task_kind(self) -> TaskKind:
        """The kind of its task.

        Raises:
            ConfigError: there is none of this name.
        """
        return kind_of(self.config.task)

    @property
    def ended(self) -> bool:
        """Whether it came to its last epoch."""
        return (self.folder / RESULT_NAME).exists()

    @property
    def student_file(self) -> Path:
        """The weights."""
        return self.folder / STUDENT_NAME

    def result(self) -> Result:
        """Reads how it ended.

        Raises:
            StoreError: it has not ended, or the file is none of ours.
        """
        path = self.folder / RESULT_NAME
        if not self.ended:
            raise StoreError(
                f"the training in {self.folder} has not ended; go on with python -m kdzero_gp.train --resume "
                f"{self.folder}"
            )
        content = read_json(path)
        name = self.task_kind.quality.record
        if name not in content:
            raise StoreError(f"{path} has no `{name}`; name the folder of another training, or restore it from a copy")
        return _valid(Result, {**content, "quality": content[name]}, path)

    def epochs(self) -> list[Epoch]:
        """Reads its log, by epoch, as far as it has come.

        Raises:
            StoreError: there is none yet, or it is none of ours.
        """
        path = self.folder / LOG_NAME
        with report_failures("read", path, then="name the folder of a training that has done an epoch"):
            text = path.read_text(encoding="utf-8", errors="replace") if path.stat().st_size <= MOST_BYTES else ""
        try:
            rows = [_EPOCH.validate_json(line) for line in text.splitlines()]
        except ValidationError as error:
            raise StoreError(_fault(path, error)) from None
        if [row.epoch for row in rows] != list(range(1, len(rows) + 1)) or not rows:
            raise StoreError(f"{path} does not hold the epochs 1, 2, … of a training; restore it from a copy")
        return rows


_EPOCH = TypeAdapter(Epoch)
Model = TypeVar("Model", bound=BaseModel)


def read_trainings(texts: Sequence[str]) -> list[Training]:
    """Reads the trainings that a user names: folders, each with or without LABEL= in front.

    Raises:
        StoreError: a folder is no training's.
        ConfigError: none is named, or one twice.
    """
    if not texts:
        raise ConfigError("no training is named; give folders that python -m kdzero_gp.train made")
    found = [_read(text) for text in texts]
    folders = [training.folder.resolve() for training in found]
    for place, folder in enumerate(folders):
        if folder in folders[:place]:
            raise ConfigError(f"{found[place].folder} is named twice; name it once")
    return found


def require_same_pair(trainings: Sequence[Training]) -> None:
    """Sees that all are of one teacher, student and data set.

    Raises:
        ConfigError: names what differs.
    """
    first = trainings[0]
    for training in trainings[1:]:
        for name in PAIR:
            ours, theirs = first.options.get(name), training.options.get(name)
            if ours != theirs:
                raise ConfigError(
                    f"{training.folder} cannot stand beside {first.folder}: its {name.replace('_', ' ')} is "
                    f"{printable(str(theirs), limit=80)}, not {printable(str(ours), limit=80)}; name trainings of one "
                    "pair and data set"
                )


def _read(text: str) -> Training:
    labelled = None if user_path(text).is_dir() else LABEL.fullmatch(text)
    folder = user_path(labelled[2] if labelled else text)
    options = {name: value for name, value in read_json(folder / CONFIG_NAME).items() if name != CODE}
    config = _valid(Config, options, folder / CONFIG_NAME)
    label = labelled[1].strip() if labelled else _label(config.distiller)
    return Training(folder, printable(label, limit=LONGEST), config, options)


def _label(distiller: str) -> str:
    if distiller == "none":
        return "student alone"
    return distiller.rpartition("/")[2] if distiller.lower().endswith(".json") else distiller


def _valid(model: type[Model], content: object, path: Path) -> Model:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise StoreError(_fault(path, error)) from None


def _fault(path: Path, error: ValidationError) -> str:
    fault = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in fault["loc"]) or "the file"
    return (
        f"{path} is not of a training that this version reads: {printable(where, limit=80)}: {fault['msg']}. Name the "
        "folder of another, or restore the file from a copy"
    )
