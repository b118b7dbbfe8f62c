"""An option of all commands that train; in the program it stands in PairConfig itself, kdzero_gp/pair/config.py."""

from dataclasses import replace

from pydantic import Field

from kdzero_gp.pair.config import PairConfig
from kdzero_gp.tasks.recipe import Recipe


class WithWeightDecay(PairConfig):
    """The options of a pair, and one more."""

    weight_decay: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="Weight decay of a training (default: the recipe's)."
    )

    def adjust(self, recipe: Recipe) -> Recipe:
        """Puts the numbers that were given in place of a recipe's own."""
        adjusted = super().adjust(recipe)
        return adjusted if self.weight_decay is None else replace(adjusted, weight_decay=self.weight_decay)
