"""Which recipe a data set is trained with unless the user says otherwise."""

from dataclasses import replace

from kdzero_gp.tasks.recipe import STUDENT, Recipe

GENERAL = Recipe(epochs=60, batch_size=64, lr=0.05)
"""For any other data set; the published long schedules are a matter of --epochs."""
DIGITS_PROXY_EPOCHS = 4
"""A quarter of the digits schedule: it ranks distillers as well as the whole (`benchmarks/proxy_rank.py`)."""
PROXY_SHARE = 0.1
"""Share of the full schedule that a proxy training of any other data set takes."""


def recipes_for(data: str) -> tuple[Recipe, Recipe]:
    """The full training's recipe and the proxy's, annealed over its own length, for a data set by name."""
    if data == "digits":
        return STUDENT, replace(STUDENT, epochs=DIGITS_PROXY_EPOCHS)
    return GENERAL, replace(GENERAL, epochs=max(1, round(PROXY_SHARE * GENERAL.epochs)))
