"""A run's configuration, validated once at the edge and passed down whole."""

from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from kdzero_gp.console.options import Commas, Options
from kdzero_gp.data.sources.source import DEFAULT_DATA
from kdzero_gp.errors import ConfigError
from kdzero_gp.evaluate.fitness import DEFAULT_FITNESS, FITNESS, check_fitness
from kdzero_gp.evolve.selection import SELECTIONS
from kdzero_gp.evolve.settings import DEFAULT_SELECTION
from kdzero_gp.execute.config import NOT_IDENTITY, ExecutorConfig
from kdzero_gp.grammar.registry import active_registry
from kdzero_gp.methods.registry import method
from kdzero_gp.pair.config import PairConfig, Seed, validate
from kdzero_gp.tasks.kinds import kind_of
from kdzero_gp.tasks.presets import fuse_for
from kdzero_gp.tasks.recipe import Recipe


class SearchConfig(Options):
    """The search itself, and what comes of it."""

    pop: int = Field(20, ge=2, le=100_000, description="Candidates trained in every generation (default {default}).")
    gens: int = Field(25, ge=0, le=100_000, description="Generations after the first (default {default}).")
    seed: Seed = Field(0, description="Seed of the run (default {default}): same seed, same run.")
    algorithm: Literal["evolve", "random"] = Field(
        "evolve", description="{default} (default) or random, under the same budget."
    )
    selection: str = Field(DEFAULT_SELECTION, description=SELECTIONS.help(DEFAULT_SELECTION))
    max_depth: int = Field(7, ge=2, le=50, description="Greatest height of a tree (default {default}).")
    max_size: int = Field(30, ge=4, le=1000, description="Greatest number of nodes of a tree (default {default}).")
    max_work: float = Field(
        8.0,
        ge=0,
        allow_inf_nan=False,
        description="Numbers a distiller may compute, in multiples of those at all taps (default {default}; 0: any).",
    )
    space: Literal["table1", "extended"] = Field(
        "table1", description="Operations to draw from: {default} (default) or extended."
    )
    calibrate: Literal["gradient", "none"] = Field(
        "gradient", description="{default} (default): terms start with CE's gradient norm; or none."
    )
    fitness: str = Field(DEFAULT_FITNESS, description=FITNESS.help(DEFAULT_FITNESS))
    shrink_space: bool = Field(True, description="Draw operations of bad carriers less.")
    seed_methods: Annotated[tuple[str, ...], Commas()] = Field(
        (), description="Hand-designed methods to start from, such as kd,at, as strong as published."
    )
    base: str | None = Field(
        None, description="Hand-designed method to add trees to, such as review or 'dkd(beta=8)' (default: none)."
    )
    mode: Literal["generational", "steady"] = Field(
        "generational", description="{default} (default), or steady, which keeps all workers busy."
    )
    rungs: int = Field(
        1, ge=1, le=20, description="Rungs of the race of candidates; {default} (default) trains all to the end."
    )
    eta: int = Field(3, ge=2, le=100, description="Of how many at a rung one goes on (default {default}).")
    proxy_epochs: int | None = Field(None, ge=1, description="Epochs of a candidate's training.")
    timeout: float = Field(
        600.0, gt=0, allow_inf_nan=False, description="Seconds one candidate may take (default {default})."
    )
    baselines: bool = Field(True, description="Compare with student alone, KD and random search.")
    final_seeds: int = Field(5, ge=1, le=1000, description="Fresh seeds of the final table (default {default}).")
    finalists: int = Field(3, ge=1, le=100, description="Evolved distillers in the final table (default {default}).")
    leaders: int = Field(
        10, ge=1, le=1000, description="Best candidates that are trained in full again (default {default})."
    )
    leader_seeds: int = Field(
        3, ge=0, le=1000, description="Seeds of that, on validation (default {default}; 0 skips it)."
    )

    @field_validator("seed_methods")
    @classmethod
    def _known_methods(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            method(name)
        return names

    @field_validator("base")
    @classmethod
    def _known_base(cls, name: str | None) -> str | None:
        if name is not None and method(name).alone:
            raise ConfigError(f"--base is {name}, the student alone, to which every tree is added anyway; leave it out")
        return name

    @model_validator(mode="after")
    def _consistent_search(self) -> Self:
        if self.algorithm == "random" and self.seed_methods:
            raise ConfigError(
                "--seed-methods begin an evolution, but --algorithm is random; leave one of the two options out"
            )
        if self.algorithm == "random" and self.selection != DEFAULT_SELECTION:
            raise ConfigError(
                f"--selection {self.selection} selects parents, but --algorithm random has none; leave one of the two "
                "options out"
            )
        return self


class RunConfig(PairConfig, SearchConfig, ExecutorConfig):
    """Everything that decides what a run finds, and how it is carried out."""

    not_identity: ClassVar[frozenset[str]] = NOT_IDENTITY
    not_stored: ClassVar[frozenset[str]] = frozenset({"base"})

    fuse: str | None = Field(
        None,
        description=f"Students in one program: a number (default {fuse_for(DEFAULT_DATA)} on {DEFAULT_DATA}, else 1), "
        "or auto (default on a GPU).",
    )

    @model_validator(mode="before")
    @classmethod
    def _fitness_of_the_task(cls, given: Any) -> Any:
        """Sets a missing fitness function to the first of the kind of task."""
        if isinstance(given, dict) and given.get("fitness") is None and isinstance(given.get("task"), str):
            return given | {"fitness": kind_of(given["task"]).fitness[0]}
        return given

    @model_validator(mode="after")
    def _known_choices(self) -> Self:
        if self.selection not in SELECTIONS or self.fitness not in FITNESS:
            active_registry().load_files(self.primitives)  # a file of the user's may declare it
        SELECTIONS.require(self.selection)
        check_fitness(self.fitness, kind_of(self.task))
        return self

    def recipes(self, data: str) -> tuple[Recipe, Recipe]:
        """Tells the recipe of a full training and that of a proxy training, which may be the longer one if asked for.

        Args:
            data: name of the data set.
        """
        full, proxy = super().recipes(data)
        return full, replace(proxy, epochs=self.proxy_epochs or proxy.epochs)


def make_config(**options: Any) -> RunConfig:
    """Validates a run's options.

    Raises:
        ConfigError: names the option, its value and the rule.
    """
    return validate(RunConfig, options, "there is")
