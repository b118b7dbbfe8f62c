"""Which recipe a data set is trained with unless the user says otherwise."""

from dataclasses import replace

from kdzero_gp.tasks.recipe import STUDENT, Recipe

GENERAL = Recipe(epochs=60, batch_size=64, lr=0.05)
"""For any other data set; the published long schedules are a matter of --epochs."""
DIGITS_PROXY_EPOCHS = 3
"""Of the full schedule's 16, annealed: they rank distillers as well as one training of the whole schedule does, fewer
do not (`benchmarks/proxy_rank.py`)."""
DIGITS_FUSE = 5
"""Students of the digits in one program: of 20 there are four equal groups, which share out well among workers."""
PROXY_SHARE = 0.1
"""Share of the full schedule that a proxy training of any other data set takes."""


def recipes_for(data: str) -> tuple[Recipe, Recipe]:
    """The full training's recipe and the proxy's, annealed over its own length, for a data set by name."""
    if data == "digits":
        return STUDENT, replace(STUDENT, epochs=DIGITS_PROXY_EPOCHS)
    return GENERAL, replace(GENERAL, epochs=max(1, round(PROXY_SHARE * GENERAL.epochs)))


def fuse_for(data: str) -> int:
    """Students in one program on a CPU, unless the user says otherwise: larger ones gain nothing there."""
    return DIGITS_FUSE if data == "digits" else 1
