"""What a final training is, validated once: pair and data as a run has them, and what a final training adds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kdzero_gp.errors import ConfigError
from kdzero_gp.methods.named import is_file_name
from kdzero_gp.pair.config import require_known
from kdzero_gp.run.config import RunConfig, make_config
from kdzero_gp.tasks.kinds import DEFAULT
from kdzero_gp.tasks.presets import named_recipe_for, preset
from kdzero_gp.tasks.recipe import Recipe

OF_A_SEARCH = (
    *("pop", "gens", "algorithm", "selection", "max_depth", "max_size", "max_work", "space", "calibrate", "fitness"),
    *("shrink_space", "seed_methods", "rungs", "eta", "fuse", "mode", "proxy_epochs", "timeout", "baselines"),
    *("final_seeds", "finalists", "leaders", "leader_seeds", "workers", "executor", "ray_address"),
)
"""Options of `python -m kdzero_gp.run` that a single training has no use for."""
PAIR_OPTIONS = tuple(name for name in RunConfig.model_fields if name not in OF_A_SEARCH)
MOST_VIEWS = 1000
CACHE_GB = 4.0
"""GiB for the teacher's outputs where they are kept: without augmentation, when they are exact and small."""


class FitConfig(BaseModel):
    """Everything that decides what a final training gives.

    Attributes:
        pair: networks, data, seed, augmentation and device.
        distiller: see `kdzero_gp.methods.named.named_distiller`.
        preset: name of the recipe; its numbers give way to those of `pair`, and to `clip`.
        train_on: the training split and, with `all`, the validation split too, as published recipes do.
        accumulate: forward passes of each step.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pair: RunConfig
    distiller: str
    calibrate: Literal["none", "gradient"] = "none"
    preset: str = "repdistiller"
    clip: float | None = Field(None, gt=0)
    train_on: Literal["all", "train"] = "all"
    accumulate: int = Field(1, ge=1)

    @property
    def recipe(self) -> Recipe:
        """The preset with the numbers that were given."""
        changes = {n: value for n in ("epochs", "batch_size", "lr") if (value := getattr(self.pair, n)) is not None}
        if self.clip is not None:
            changes["clip"] = self.clip
        return replace(preset(self.preset), **changes)

    @property
    def options(self) -> dict[str, Any]:
        """All options by name, as `make_fit_config` takes them and JSON holds them; the device by its kind alone."""
        own = self.model_dump(mode="json", exclude={"pair"})
        usual = {"task"} if self.pair.task == DEFAULT else set()  # older folders are of it
        pair = self.pair.model_dump(mode="json", include=set(PAIR_OPTIONS) - usual)
        return own | pair | {"device": torch.device(self.pair.device).type}


OWN_OPTIONS = tuple(name for name in FitConfig.model_fields if name != "pair")


def make_fit_config(**options: Any) -> FitConfig:
    """A validated configuration. What is not given is as the student is published, and is settled here.

    The recipe is the one the student is known by; images are cropped and mirrored but for the digits (`strong` for
    transformers), each epoch by views of its own; the teacher's outputs are kept where there is no augmentation.

    Raises:
        ConfigError: names the option, its value and the rule.
    """
    known = (*OWN_OPTIONS, *PAIR_OPTIONS)
    require_known(options, known, "a final training has")
    given = {name: value for name, value in options.items() if value is not None}
    if "distiller" not in given:
        raise ConfigError("no distiller is given; name one by --distiller, or `none` for the student alone")
    if is_file_name(given["distiller"]):
        given["distiller"] = str(Path(given["distiller"]).expanduser().resolve())
    pair = make_config(**{name: given.pop(name) for name in PAIR_OPTIONS if name in given})
    given.setdefault("preset", named_recipe_for(pair.student, pair.data))
    try:
        config = FitConfig(pair=pair, **given)
    except ValidationError as error:
        fault = error.errors()[0]
        name, rule = str(fault["loc"][0]).replace("_", "-"), fault["msg"].removeprefix("Input ")
        raise ConfigError(f"--{name} is {fault['input']!r}, but {rule}") from None
    return config.model_copy(update={"pair": _settled(pair, config, options)})


def _settled(pair: RunConfig, config: FitConfig, options: dict[str, Any]) -> RunConfig:
    def missing(name: str) -> bool:
        return options.get(name) is None

    recipe = config.recipe  # which finds a preset that there is not
    chosen: dict[str, Any] = {}
    if missing("augment"):
        usual = "strong" if config.preset == "locality" else "crop-flip"
        chosen["augment"] = "none" if pair.data == "digits" else usual
    plain = chosen.get("augment", pair.augment) == "none"
    if missing("views"):
        chosen["views"] = 1 if plain else min(recipe.epochs, MOST_VIEWS)
    if missing("cache_gb"):
        chosen["cache_gb"] = CACHE_GB if plain else 0.0
    return pair.model_copy(update=chosen)
