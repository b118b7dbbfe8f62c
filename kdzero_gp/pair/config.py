"""The options of a pair and of the process it is used in, and how a wrong one is explained."""

import difflib
from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Self, TypeVar

import torch
from pydantic import Field, ValidationError, field_validator, model_validator

from kdzero_gp.console.options import Options, option_fields
from kdzero_gp.data import AugmentationName
from kdzero_gp.data.sources.source import DEFAULT_DATA, data_help
from kdzero_gp.errors import ConfigError, KdzeroError
from kdzero_gp.taps.override import parse_taps
from kdzero_gp.tasks.input import parse_normalisation, published_constants
from kdzero_gp.tasks.kinds import DEFAULT, kind_of, task_help
from kdzero_gp.tasks.presets import recipes_for
from kdzero_gp.tasks.recipe import Recipe
from kdzero_gp.untrusted import user_path

Epochs = Annotated[int | None, Field(ge=1)]
BatchSize = Annotated[int | None, Field(ge=2)]
Views = Annotated[int, Field(ge=1, le=1000)]
CacheGb = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
"""Of the options whose help or default differs between commands, what is the same in all."""


class ProcessConfig(Options):
    """What a process needs before it does anything with a pair."""

    at_the_end: ClassVar[bool] = True

    primitives: tuple[str, ...] = Field((), description="Python file with primitives of your own; may be repeated.")
    threads: int = Field(1, ge=1, le=1024, description="Torch threads of each process (default {default}).")
    device: str = Field("cpu", description="{default} (default), cuda, cuda:N or auto.")

    @field_validator("primitives")
    @classmethod
    def _absolute(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(user_path(path).resolve()) for path in paths)

    @field_validator("device")
    @classmethod
    def _existing_device(cls, name: str) -> str:
        if name == "auto":
            return "cuda" if torch.cuda.is_available() else "cpu"
        try:
            device = torch.device(name)
        except RuntimeError:
            raise ConfigError(f"device is '{name}', but must be auto, cpu, cuda or cuda:N") from None
        if device.type not in ("cpu", "cuda"):
            raise ConfigError(f"device is '{name}', but must be auto, cpu, cuda or cuda:N")
        if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
            raise ConfigError(
                f"device is '{name}', but torch sees {torch.cuda.device_count()} CUDA devices here; use --device cpu, "
                "or install a CUDA build of torch"
            )
        return name


class PairConfig(ProcessConfig):
    """Two networks, the data, and how a student is trained on them."""

    not_identity: ClassVar[frozenset[str]] = frozenset()
    """Options that change how fast something goes and not what it gives, so it may be gone on with under others."""
    not_stored: ClassVar[frozenset[str]] = frozenset()
    """Options that are stored only where they are given: what is older than they are had none."""

    task: str = Field(DEFAULT, description=task_help())
    data: str = Field(DEFAULT_DATA, description=data_help())
    limit: int | None = Field(None, ge=2, description="Use only the first N training images.")
    teacher: str = Field(
        "cnn32",
        description="Teacher (default {default}): a name, torchvision:NAME, timm:NAME or package.module:factory.",
    )
    student: str = Field("cnn2", description="Student network (default {default}), named likewise.")
    teacher_weights: str | None = Field(
        None,
        description="Checkpoint of the teacher, own for the weights that its factory loads, or train; else found out.",
    )
    teacher_input: int | None = Field(
        None, ge=1, le=4096, description="Side that images are resized to for the teacher."
    )
    student_input: int | None = Field(
        None, ge=1, le=4096, description="Side that images are resized to for the student."
    )
    teacher_norm: str = Field(
        "data",
        description="The teacher's normalisation: {default} (default), "
        f"{', '.join(published_constants())}, or M,M,M/S,S,S.",
    )
    taps: tuple[str, ...] = Field(
        (), description="Taps set by hand: stage2=layer2.3, or student:stage2=… for one; may be repeated."
    )
    epochs: Epochs = Field(None, description="Epochs of a full training.")
    batch_size: BatchSize = Field(None, description="Images per step.")
    lr: float | None = Field(None, gt=0, allow_inf_nan=False, description="Highest learning rate.")
    augment: AugmentationName = Field(
        "none", description="{default} (default), crop-flip, the usual one, or strong, for transformers."
    )
    views: Views = Field(8, description="Views of an image that augmentation makes (default {default}).")
    amp: bool = Field(False, description="Students run in bfloat16 under autocast.")
    cache_gb: CacheGb = Field(4.0, description="GiB of memory for teacher outputs (default {default}); 0 keeps none.")

    @field_validator("teacher_norm")
    @classmethod
    def _known_normalisation(cls, text: str) -> str:
        parse_normalisation(text)
        return text

    @field_validator("taps")
    @classmethod
    def _readable_taps(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        parse_taps(texts)
        return texts

    @model_validator(mode="after")
    def _augmentation_fits_the_task(self) -> Self:
        fitting = kind_of(self.task).augmentations
        if self.augment not in fitting:
            raise ConfigError(
                f"--augment is {self.augment}, but with --task {self.task} it must be {' or '.join(fitting)}"
            )
        return self

    @property
    def pair(self) -> str:
        """The pair, for names and titles."""
        return f"{self.teacher} -> {self.student}"

    @property
    def identity(self) -> dict[str, Any]:
        """All that decides what comes out, as plain data: what is stored, and must agree where it is gone on with.

        The number of threads is part of it, and so is the kind of device, but not its number: the first two change the
        order of sums, and so the last bits. The usual kind of task is left out, and so is a later option that is not
        given: older folders have neither.
        """
        plain = self.model_dump(mode="json") | {"device": torch.device(self.device).type}
        left_out = self.not_identity | ({"task"} if self.task == DEFAULT else set())
        left_out |= {name for name in self.not_stored if plain.get(name) is None}
        return {name: plain[name] for name in option_fields(type(self)) if name not in left_out}

    def adjust(self, recipe: Recipe) -> Recipe:
        """Puts the numbers that were given in place of a recipe's own."""
        return replace(
            recipe,
            epochs=self.epochs or recipe.epochs,
            batch_size=self.batch_size or recipe.batch_size,
            lr=self.lr or recipe.lr,
        )

    def recipes(self, data: str) -> tuple[Recipe, Recipe]:
        """Tells the recipe of a full training and that of a proxy training, which is never the longer one.

        Args:
            data: name of the data set.
        """
        full, proxy = recipes_for(data, self.student)
        full = self.adjust(full)
        return full, replace(self.adjust(proxy), epochs=min(proxy.epochs, full.epochs))


Config = TypeVar("Config", bound=Options)


def validate(model: type[Config], options: dict[str, Any], whose: str) -> Config:
    """Makes a configuration out of options by name.

    Args:
        whose: subject and verb of the message about an unknown one, such as `a comparison has`.

    Raises:
        ConfigError: names each wrong option, its value and the rule.
    """
    require_known(options, option_fields(model), whose)
    try:
        return model(**options)
    except ValidationError as error:
        raise ConfigError("\n".join(explain(fault) for fault in error.errors())) from None


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
    """Says what is wrong with one option, as pydantic found it."""
    cause = fault.get("ctx", {}).get("error")
    if isinstance(cause, KdzeroError):
        return str(cause)
    name = "--" + "-".join(str(part) for part in fault["loc"][:1]).replace("_", "-")
    rule = fault["msg"].removeprefix("Input ").removeprefix("Value error, ")
    return f"{name} is {fault['input']!r}, but {rule}"
