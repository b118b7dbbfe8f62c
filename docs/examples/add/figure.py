"""A figure, for kdzero_gp/plot/: the learning rate of a recipe."""

from typing import Annotated

import typer

from kdzero_gp.plot.figure import OUT, Name, Out, figure
from kdzero_gp.plot.files import Numbers, Written, write_figure
from kdzero_gp.plot.style import EVOLVED, printed
from kdzero_gp.tasks.presets import preset


@figure("schedule", "The learning rate of a recipe over its epochs.")
def schedule_figure(
    recipe: Annotated[str, typer.Argument(help="Name of a preset, such as repdistiller.")],
    *,
    out: Out = OUT,
    name: Name = None,
) -> Written:
    """Draws the learning rate at the first step of every epoch.

    Args:
        recipe: name of a preset.
        out, name: where the files go.

    Raises:
        ConfigError: there is no such preset.
    """
    from matplotlib.figure import Figure  # slow to import, and needed by whoever draws alone

    chosen = preset(recipe)
    rates = chosen.learning_rates(chosen.epochs)
    with printed():
        drawn = Figure(figsize=(3.4, 2.4), layout="constrained")
        axes = drawn.subplots()
        axes.step(range(len(rates)), rates, where="post", color=EVOLVED)
        axes.set(xlabel="epoch", ylabel="learning rate", yscale="log")
        axes.grid(axis="y")
    numbers = Numbers(("epoch", "learning_rate"), list(enumerate(rates)))
    return write_figure(out, name or "schedule", drawn, numbers, title=f"learning rate of {recipe} by epoch")
