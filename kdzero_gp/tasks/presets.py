"""Which recipe a data set is trained with unless the user says otherwise."""

from dataclasses import replace

from kdzero_gp.tasks.recipe import STUDENT, Recipe

GENERAL = Recipe(epochs=60, batch_size=64, lr=0.05)
"""For any other data set; the published long schedules are a matter of --epochs."""
PROXY_SHARE = 0.1
"""Share of the full schedule that a proxy training of such a data set takes."""


def recipes_for(data: str) -> tuple[Recipe, Recipe]:
    """The full training's recipe and the proxy's for a data set by name.

    On the digits a full training takes a fraction of a second, so there the proxy is the full schedule itself.
    """
    if data == "digits":
        return STUDENT, STUDENT
    return GENERAL, replace(GENERAL, epochs=max(1, round(PROXY_SHARE * GENERAL.epochs)))
