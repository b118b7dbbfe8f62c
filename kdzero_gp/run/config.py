"""A run's configuration, validated once at the edge and passed down whole."""

from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from kdzero_gp.errors import ConfigError
from kdzero_gp.loops.fused.ways import parse_fuse
from kdzero_gp.methods.registry import method
from kdzero_gp.pair.config import explain, require_known
from kdzero_gp.taps.override import parse_taps
from kdzero_gp.tasks.input import parse_normalisation
from kdzero_gp.tasks.kinds import DEFAULT, kind_of

NOT_IDENTITY = ("workers", "executor", "ray_address")
"""Options that change how fast a run goes and not what it finds, so a run may be resumed under others.

The number of threads is none of them, nor is the kind of device: both change the order of sums, and so the last bits.
"""


class RunConfig(BaseModel):
    """Everything that decides what a run finds, and how it is carried out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str = DEFAULT
    data: str = "digits"
    limit: int | None = Field(None, ge=2)
    teacher: str = "cnn32"
    student: str = "cnn2"
    teacher_weights: str | None = None
    teacher_input: int | None = Field(None, ge=1, le=4096)
    student_input: int | None = Field(None, ge=1, le=4096)
    teacher_norm: str = "data"
    taps: tuple[str, ...] = ()

    pop: int = Field(20, ge=2, le=100_000)
    gens: int = Field(25, ge=0, le=100_000)
    seed: int = Field(0, ge=0, lt=2**63)
    algorithm: Literal["evolve", "random"] = "evolve"
    selection: Literal["tournament", "nsga2"] = "tournament"
    max_depth: int = Field(7, ge=2, le=50)
    max_size: int = Field(30, ge=4, le=1000)
    max_work: float = Field(8.0, ge=0, allow_inf_nan=False)
    space: Literal["table1", "extended"] = "table1"
    calibrate: Literal["gradient", "none"] = "gradient"
    fitness: Literal["tempered", "relative", "eq2", "bce", "map"] = "tempered"
    shrink_space: bool = True
    primitives: tuple[str, ...] = ()
    seed_methods: tuple[str, ...] = ()

    rungs: int = Field(1, ge=1, le=20)
    eta: int = Field(3, ge=2, le=100)
    fuse: str | None = None
    mode: Literal["generational", "steady"] = "generational"

    epochs: int | None = Field(None, ge=1)
    proxy_epochs: int | None = Field(None, ge=1)
    batch_size: int | None = Field(None, ge=2)
    lr: float | None = Field(None, gt=0, allow_inf_nan=False)
    augment: Literal["none", "crop-flip", "strong"] = "none"
    views: int = Field(8, ge=1, le=1000)
    amp: bool = False
    cache_gb: float = Field(4.0, ge=0, allow_inf_nan=False)
    timeout: float = Field(600.0, gt=0, allow_inf_nan=False)

    baselines: bool = True
    final_seeds: int = Field(5, ge=1, le=1000)
    finalists: int = Field(3, ge=1, le=100)
    leaders: int = Field(10, ge=1, le=1000)
    leader_seeds: int = Field(3, ge=0, le=1000)

    workers: int | None = Field(None, ge=1, le=1024)
    executor: Literal["auto", "inprocess", "processes", "ray"] = "auto"
    ray_address: str | None = None
    threads: int = Field(1, ge=1, le=1024)
    device: str = "cpu"

    @model_validator(mode="before")
    @classmethod
    def _fitness_of_the_task(cls, given: Any) -> Any:
        """What is not given is the fitness function that the kind of task has as its first."""
        if isinstance(given, dict) and given.get("fitness") is None and isinstance(given.get("task"), str):
            return given | {"fitness": kind_of(given["task"]).fitness[0]}
        return given

    @field_validator("seed_methods")
    @classmethod
    def _known_methods(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            method(name)
        return names

    @field_validator("primitives")
    @classmethod
    def _absolute(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(Path(path).expanduser().resolve()) for path in paths)

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

    @field_validator("fuse")
    @classmethod
    def _known_fuse(cls, text: str | None) -> str | None:
        if text not in (None, "auto"):
            parse_fuse(str(text))
        return text

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

    @model_validator(mode="after")
    def _fits_the_task(self) -> "RunConfig":
        kind = kind_of(self.task)
        for name, fitting in (("fitness", kind.fitness), ("augment", kind.augmentations)):
            if getattr(self, name) not in fitting:
                raise ConfigError(
                    f"--{name} is {getattr(self, name)}, but with --task {self.task} it must be {' or '.join(fitting)}"
                )
        return self

    @model_validator(mode="after")
    def _consistent(self) -> "RunConfig":
        if self.algorithm == "random" and self.seed_methods:
            raise ConfigError(
                "--seed-methods begin an evolution, but --algorithm is random; leave one of the two options out"
            )
        if self.ray_address is not None and self.executor != "ray":
            raise ConfigError(
                f"--ray-address {self.ray_address} names a Ray cluster, but --executor is {self.executor}; add "
                "--executor ray or leave the address out"
            )
        if self.executor == "inprocess" and (self.workers or 1) > 1:
            raise ConfigError(
                f"--executor inprocess is this one process, but --workers is {self.workers}; leave one of the two out"
            )
        if self.algorithm == "random" and self.selection == "nsga2":
            raise ConfigError(
                "--selection nsga2 selects parents, but --algorithm random has none; leave one of the two options out"
            )
        return self

    @property
    def identity(self) -> dict[str, Any]:
        """What the run is, as plain data: the store keeps it, and a resumed run must agree with it.

        The usual kind of task is left out: runs from before there were others are of it.
        """
        usual = {"task"} if self.task == DEFAULT else set()
        plain = self.model_dump(mode="json", exclude={*NOT_IDENTITY, *usual})
        return plain | {"device": torch.device(self.device).type}

    @property
    def pair(self) -> str:
        """The pair, for names and titles."""
        return f"{self.teacher} -> {self.student}"


def make_config(**options: Any) -> RunConfig:
    """A validated configuration.

    Raises:
        ConfigError: names the option, its value and the rule.
    """
    require_known(options, RunConfig.model_fields, "there is")
    try:
        return RunConfig(**options)
    except ValidationError as error:
        raise ConfigError("\n".join(explain(fault) for fault in error.errors())) from None
