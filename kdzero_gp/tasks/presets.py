"""The default recipes of the data sets, and the published recipes by name."""

import math
from dataclasses import replace

from kdzero_gp.data.sources.source import source_named
from kdzero_gp.errors import ConfigError
from kdzero_gp.models.network import student_recipe
from kdzero_gp.tasks.recipe import GLYPHS, GLYPHS_TEACHER, STUDENT, TEACHER, Recipe

GENERAL = Recipe(epochs=60, batch_size=64, lr=0.05)
"""For any other data set in a search; the published long schedules are a matter of the final training."""
DIGITS_PROXY_EPOCHS = 3
"""Of the full schedule's 16, annealed: they rank distillers as well as one training of the whole schedule does, fewer
do not (`benchmarks/proxy_rank`)."""
GLYPHS_PROXY_EPOCHS = 2
"""Of the full schedule's 24, annealed."""
PROXY_SHARE = 0.1
"""Share of the full schedule that a proxy training of any other data set takes."""

REPDISTILLER = Recipe(
    epochs=240,
    batch_size=64,
    lr=0.05,
    nesterov=False,
    weight_decay=5e-4,
    warmup=0.0,
    schedule="steps",
    milestones=(150 / 240, 180 / 240, 210 / 240),
    clip=math.inf,
)
"""The field's standard on CIFAR-100 (Tian, Krishnan, Isola: Contrastive Representation Distillation, ICLR 2020)."""
REPDISTILLER_LIGHT = replace(REPDISTILLER, lr=0.01)
"""The same for MobileNetV2 and the ShuffleNets."""
LOCALITY = Recipe(
    epochs=300,
    batch_size=128,
    lr=5e-4,
    nesterov=False,
    weight_decay=0.05,
    warmup=20 / 300,
    floor=0.01,
    clip=math.inf,
    optimiser="adamw",
)
"""Vision transformers on CIFAR-100 (Li et al.: Locality Guidance for Improving Vision Transformers, ECCV 2022)."""
TRANSFORMER = replace(LOCALITY, epochs=60, batch_size=64, warmup=GENERAL.warmup, clip=GENERAL.clip)
"""The same, shorter, for searches."""
IMAGENET = replace(REPDISTILLER, epochs=100, batch_size=256, lr=0.1, weight_decay=1e-4, milestones=(0.3, 0.6, 0.9))
"""A hundred epochs, the learning rate for a global batch of 256 images."""

PRESETS: dict[str, Recipe] = {
    "repdistiller": REPDISTILLER,
    "repdistiller-light": REPDISTILLER_LIGHT,
    "locality": LOCALITY,
    "imagenet": IMAGENET,
    "digits": STUDENT,
    "glyphs": GLYPHS,
    "general": GENERAL,
    "transformer": TRANSFORMER,
}
"""Full recipes by the name that `--preset` takes."""
USUAL_AUGMENTATION = {"locality": "strong"}
"""Of a final training by the preset of this name; with all others images are cropped and mirrored."""


def _with_proxy(full: Recipe) -> tuple[Recipe, Recipe]:
    return full, replace(full, epochs=max(1, round(PROXY_SHARE * full.epochs)))


SEARCHES: dict[str, tuple[Recipe, Recipe]] = {
    "digits": (STUDENT, replace(STUDENT, epochs=DIGITS_PROXY_EPOCHS)),
    "glyphs": (GLYPHS, replace(GLYPHS, epochs=GLYPHS_PROXY_EPOCHS)),
    "locality": _with_proxy(TRANSFORMER),
}
"""Recipes of a search, in full and of a proxy training, where they are not the general ones: by the preset's name."""


def recipes_for(data: str, student: str = "") -> tuple[Recipe, Recipe]:
    """Tells the full training's recipe in a search and the proxy's, annealed over its own length.

    Args:
        data: name of the data set.
        student: as `kdzero_gp.models.build` takes it; transformers are not trained by SGD.
    """
    source = source_named(data)
    names = (source.preset if source is not None else None, student_recipe(student))
    return next((SEARCHES[name] for name in names if name in SEARCHES), _with_proxy(GENERAL))


def teacher_recipe_for(data: str) -> Recipe:
    """Tells how a teacher is trained on data of this name, where it brings no weights."""
    source = source_named(data)
    return GLYPHS_TEACHER if source is not None and source.preset == "glyphs" else TEACHER


def preset(name: str) -> Recipe:
    """Finds the recipe of a name.

    Raises:
        ConfigError: there is none; names those there are.
    """
    if name not in PRESETS:
        raise ConfigError(f"there is no preset '{name}'; known are {', '.join(PRESETS)}")
    return PRESETS[name]


def named_recipe_for(student: str, data: str = "cifar100") -> str:
    """Names the preset by which a student's final training is published, or that of the data, where they have one.

    Args:
        student: as `kdzero_gp.models.build` takes it.
        data: name or source of the data set.
    """
    source = source_named(data)
    return source.preset if source is not None and source.preset is not None else student_recipe(student)


def augmentation_for(data: str, preset: str) -> str:
    """Names the augmentation of a final training: the data's own, or the one that the preset goes with."""
    source = source_named(data)
    if source is not None and source.augment is not None:
        return source.augment
    return USUAL_AUGMENTATION.get(preset, "crop-flip")


def fuse_for(data: str) -> int:
    """Tells how many students are trained in one program on a CPU; on most data that gains nothing."""
    source = source_named(data)
    return 1 if source is None else source.fuse
