"""Which recipe a data set is trained with unless the user says otherwise."""

from dataclasses import replace

from kdzero_gp.tasks.recipe import STUDENT, Recipe

GENERAL = Recipe(epochs=60, batch_size=64, lr=0.05)
"""For any other data set; the published long schedules are a matter of --epochs."""
DIGITS_PROXY_EPOCHS = 7
DIGITS_RUNGS = 2
"""On digits a candidate is trained for 35 of the full schedule's 240 steps, annealed, and the best third for 105: the
first ranks distillers nearly as well as the whole schedule does, the second as well (`benchmarks/proxy_rank.py`)."""
DIGITS_FUSE = 5
"""Students of the digits in one program: of 20 there are four equal groups, which share out well among workers."""
PROXY_SHARE = 0.1
"""Share of the full schedule that a proxy training of any other data set takes."""


def recipes_for(data: str) -> tuple[Recipe, Recipe]:
    """The full training's recipe and the proxy's, annealed over its own length, for a data set by name."""
    if data == "digits":
        return STUDENT, replace(STUDENT, epochs=DIGITS_PROXY_EPOCHS)
    return GENERAL, replace(GENERAL, epochs=max(1, round(PROXY_SHARE * GENERAL.epochs)))


def rungs_for(data: str) -> int:
    """Rungs of the race in which a candidate's proxy training is done, unless the user says otherwise."""
    return DIGITS_RUNGS if data == "digits" else 1


def fuse_for(data: str) -> int:
    """Students in one program on a CPU, unless the user says otherwise: larger ones gain nothing there."""
    return DIGITS_FUSE if data == "digits" else 1
