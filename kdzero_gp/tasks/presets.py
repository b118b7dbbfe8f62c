"""Which recipe a data set is trained with unless the user says otherwise, and the published ones by name."""

import math
from dataclasses import replace

from kdzero_gp.errors import ConfigError
from kdzero_gp.tasks.recipe import STUDENT, Recipe

GENERAL = Recipe(epochs=60, batch_size=64, lr=0.05)
"""For any other data set in a search; the published long schedules are a matter of the final training."""
DIGITS_PROXY_EPOCHS = 3
"""Of the full schedule's 16, annealed: they rank distillers as well as one training of the whole schedule does, fewer
do not (`benchmarks/proxy_rank`)."""
DIGITS_FUSE = 5
"""Students of the digits in one program: of 20 there are four equal groups, which share out well among workers."""
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
    "general": GENERAL,
    "transformer": TRANSFORMER,
}
"""Full recipes by the name that `--preset` takes."""
LIGHT = ("mobilenet", "shufflenet")
TRANSFORMERS = ("deit", "t2t", "vit")


def recipes_for(data: str, student: str = "") -> tuple[Recipe, Recipe]:
    """The full training's recipe and the proxy's, annealed over its own length.

    Args:
        data: name of the data set.
        student: as `kdzero_gp.models.build` takes it; transformers are not trained by SGD.
    """
    if data == "digits":
        return STUDENT, replace(STUDENT, epochs=DIGITS_PROXY_EPOCHS)
    full = TRANSFORMER if _architecture(student).startswith(TRANSFORMERS) else GENERAL
    return full, replace(full, epochs=max(1, round(PROXY_SHARE * full.epochs)))


def preset(name: str) -> Recipe:
    """The recipe of a name.

    Raises:
        ConfigError: there is none; names those there are.
    """
    if name not in PRESETS:
        raise ConfigError(f"there is no preset '{name}'; known are {', '.join(PRESETS)}")
    return PRESETS[name]


def named_recipe_for(student: str, data: str = "cifar100") -> str:
    """The name of the preset by which a student's final training is published; `digits` has one of its own.

    Args:
        student: as `kdzero_gp.models.build` takes it.
        data: name or source of the data set.
    """
    architecture = _architecture(student)
    if data == "digits":
        return "digits"
    if data.startswith("imagenet"):
        return "imagenet"
    if architecture.startswith(TRANSFORMERS):
        return "locality"
    return "repdistiller-light" if architecture.startswith(LIGHT) else "repdistiller"


def _architecture(student: str) -> str:
    return student.rpartition(":")[2].lower()


def fuse_for(data: str) -> int:
    """Students in one program on a CPU, unless the user says otherwise: larger ones gain nothing there."""
    return DIGITS_FUSE if data == "digits" else 1
