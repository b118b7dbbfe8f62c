"""What a final training is, validated once: pair and data as a run has them, and what a published training adds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, TypeVar

from pydantic import Field, field_validator

from kdzero_gp.console.options import option_fields
from kdzero_gp.data import AugmentationName
from kdzero_gp.errors import ConfigError
from kdzero_gp.methods.named import is_file_name
from kdzero_gp.pair.config import BatchSize, CacheGb, Epochs, PairConfig, Seed, Views, require_known, validate
from kdzero_gp.tasks.presets import PRESETS, augmentation_for, named_recipe_for, preset
from kdzero_gp.tasks.recipe import Recipe
from kdzero_gp.untrusted import user_path

TrainOn = Literal["all", "train"]
Calibrate = Literal["none", "gradient"]
MOST_VIEWS = 1000
CACHE_GB = 4.0
"""GiB for the teacher's outputs where they are kept: without augmentation, when they are exact and small."""
*_OTHERS, _LAST = PRESETS


class TrainingConfig(PairConfig):
    """A pair whose student is trained as it is published: what a final training and a comparison have in common.

    Attributes:
        preset: name of the recipe; its numbers give way to those that are given.
        train_on: the training split and, with `all`, the validation split too, as published recipes do.
    """

    preset: str = Field(
        "repdistiller", description=f"Recipe: {', '.join(_OTHERS)} or {_LAST}; by default the student's."
    )
    train_on: TrainOn = Field(
        "all",
        description="{default} (default): training and validation images; or train, to see validation accuracy.",
    )
    calibrate: Calibrate = Field(
        "none",
        description="Of a text form: {default} (default), or gradient: terms start with CE's gradient norm.",
    )
    augment: AugmentationName = Field(
        "none", description="none (default on digits), crop-flip (elsewhere) or strong (for transformers)."
    )
    views: Views = Field(1, description="Views of an image that augmentation makes (default: one an epoch).")
    cache_gb: CacheGb = Field(
        CACHE_GB,
        description="GiB for teacher outputs (default {default} without augmentation, else 0: it runs in every step).",
    )

    @property
    def recipe(self) -> Recipe:
        """The preset with the numbers that were given.

        Raises:
            ConfigError: there is no such preset.
        """
        return self.adjust(preset(self.preset))


class FitConfig(TrainingConfig):
    """Everything that decides what a final training gives.

    Attributes:
        distiller: see `kdzero_gp.methods.named.named_distiller`.
        accumulate: forward passes of each step.
    """

    distiller: str = Field(
        description="A best.json, a text form, the name of a method (kd, at, dist, dkd, …), or none: the student alone."
    )
    epochs: Epochs = Field(None, description="Epochs instead of the recipe's.")
    batch_size: BatchSize = Field(None, description="Images per step, over all processes and passes.")
    clip: float | None = Field(None, gt=0, description="Greatest gradient norm of a step.")
    accumulate: int = Field(1, ge=1, description="Forward passes of each step (default {default}), for little memory.")
    seed: Seed = Field(0, description="Of student, batches and distiller (default {default}).")

    @field_validator("distiller")
    @classmethod
    def _absolute_file(cls, text: str) -> str:
        return str(user_path(text).resolve()) if is_file_name(text) else text

    @property
    def recipe(self) -> Recipe:
        """The preset with the numbers that were given."""
        recipe = super().recipe
        return recipe if self.clip is None else replace(recipe, clip=self.clip)


Config = TypeVar("Config", bound=TrainingConfig)


def make_fit_config(**options: Any) -> FitConfig:
    """Validates the options of a final training. What is not given, or None, is as the student is published.

    Raises:
        ConfigError: names the option, its value and the rule.
    """
    require_known(options, option_fields(FitConfig), "a final training has")
    if options.get("distiller") is None:
        raise ConfigError("no distiller is given; name one by --distiller, or `none` for the student alone")
    return make_training_config(FitConfig, options, "a final training has")


def make_training_config(model: type[Config], options: dict[str, Any], whose: str) -> Config:
    """Validates options and settles what is not given, or None.

    The recipe is the one the student is known by; images are cropped and mirrored but for the digits (`strong` for
    transformers), each epoch by views of its own; the teacher's outputs are kept where there is no augmentation.

    Args:
        whose: see `validate`.

    Raises:
        ConfigError: names the option, its value and the rule.
    """
    given = {name: value for name, value in options.items() if value is not None}
    config = validate(model, given, whose)
    usual: dict[str, Any] = {"preset": named_recipe_for(config.student, config.data)}
    config = config.model_copy(update=_but(given, usual))
    epochs = config.recipe.epochs  # refuses a preset that there is not
    usual["augment"] = augmentation_for(config.data, config.preset)
    plain = given.get("augment", usual["augment"]) == "none"
    usual["views"] = 1 if plain else min(epochs, MOST_VIEWS)
    usual["cache_gb"] = CACHE_GB if plain else 0.0
    return config.model_copy(update=_but(given, usual))


def _but(given: dict[str, Any], usual: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in usual.items() if name not in given}
