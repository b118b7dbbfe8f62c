"""`cam`: class activation maps of students and teacher for the true class, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from torch import Tensor

from kdzero_gp.console.options import option
from kdzero_gp.plot.chosen_images import balanced, numbered
from kdzero_gp.plot.figure import OUT, Name, Out, Trainings, figure
from kdzero_gp.plot.files import Cell, Numbers, Written, write_figure
from kdzero_gp.plot.grad_cam import Heat, grad_cam, require_package, watched
from kdzero_gp.plot.networks import Network, Pair, load_pair, pair_config, require_one_class
from kdzero_gp.plot.style import INK, METHODS, WIDTH, bare, printed
from kdzero_gp.plot.training_folders import read_trainings
from kdzero_gp.randomness import settled_torch
from kdzero_gp.taps.find import SCORES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

WRONG = METHODS[0].colour
OPAQUE = 0.85
"""Of the hottest place of a map."""
PROBE = 4
"""Images by which the place of a map is chosen."""


@dataclass(frozen=True)
class Looks:
    """One network on all images.

    Attributes:
        layer: where the map is made.
        heat: (N, H, W) between 0 and 1, for the true classes.
        predicted: (N,).
        confidence: (N,), the softmax probability of the predicted class.
    """

    title: str
    layer: str
    heat: Heat
    predicted: Sequence[int]
    confidence: Sequence[float]


@dataclass(frozen=True)
class Cams:
    """Several networks on the same test images.

    Attributes:
        numbers: of the images in the test split.
        pictures: (N, H, W, 3) between 0 and 1.
        labels: true classes.
    """

    title: str
    numbers: Sequence[int]
    pictures: NDArray[np.float32]
    labels: Sequence[int]
    networks: Sequence[Looks]


@figure("cam", "Grad-CAM++ of students and teacher on the same test images.")
def cam_figure(
    trainings: Trainings,
    *,
    images: Annotated[int, typer.Option(help="How many test images.")] = 8,
    number: Annotated[Sequence[int], option("Number of a test image; may be repeated.")] = (),
    stage: Annotated[str | None, option("Feature map to look at (default: each network's last).")] = None,
    out: Out = OUT,
    name: Name = None,
    **chosen: str | int | None,
) -> Written:
    """Draws Grad-CAM++ maps of the true class: a row for each network, the teacher's last, a column for each image.

    Args:
        trainings: folders of `python -m kdzero_gp.train`, each with or without LABEL= in front.
        images: how many, the first test images of the classes in turn.
        number: numbers of test images, instead.
        stage: the feature map that is looked at, of every network; None takes the last.
        out, name: where the files go.
        chosen: see `pair_config`.

    Raises:
        KdzeroError: grad-cam is not installed, a folder is no training's, or the pair cannot be put together.
    """
    found = read_trainings(trainings)
    require_one_class(found, "cam")
    require_package()
    config = pair_config(found, **chosen)
    with settled_torch(config.threads, config.device):
        pair = load_pair(found, config)
        labels = pair.task.targets("test").cpu()
        data = look(pair, numbered(number, len(labels)) if number else balanced(labels, images), stage)
    with printed():
        drawn = draw(data)
    said = ", ".join(network.title for network in data.networks)
    title = f"{data.title}, Grad-CAM++ of the classes {', '.join(map(str, data.labels))}: {said}"
    return write_figure(out, name or "cam", drawn, numbers(data), title=title)


def look(pair: Pair, chosen: Tensor, stage: str | None = None) -> Cams:
    """Gathers the numbers of the figure.

    Args:
        chosen: (N,) int64, numbers of test images.
    """
    task = pair.task
    images, labels = task.images("test", chosen), task.targets("test")[chosen.to(task.device)]
    taps = [task.pair_taps.student] * len(pair.students) + [task.pair_taps.teacher]
    adapts = [None] * len(pair.students) + [task.teacher_input]  # students adapt their input by themselves
    networks = []
    for network, own, adapt in zip((*pair.students, pair.teacher), taps, adapts, strict=True):
        tapped = watched(network.model, own, stage, images[:PROBE], adapt)
        networks.append(_looks(network, str(tapped.tap), grad_cam(tapped, images, labels), chosen))
    # the streamed kind of images takes slices alone
    raw = torch.cat([task.split("test").images[place : place + 1] for place in chosen.tolist()])
    return Cams(task.name, chosen.tolist(), pictures(raw, task.data.scale), labels.cpu().tolist(), networks)


def _looks(network: Network, layer: str, heat: Heat, chosen: Tensor) -> Looks:
    scores = network.test[SCORES].cpu()[chosen].double().softmax(1)
    confidence, predicted = scores.max(1)
    return Looks(network.title, layer, heat, predicted.tolist(), confidence.tolist())


def pictures(images: Tensor, scale: float) -> NDArray[np.float32]:
    """Maps pixels (N, C, H, W) uint8 to what a reader sees, (N, H, W, 3) between 0 and 1, one channel in grey."""
    shown = (images.cpu().float() / scale).clamp(0, 1).permute(0, 2, 3, 1)
    if shown.shape[3] != 3:
        shown = shown.mean(3, keepdim=True).expand(-1, -1, -1, 3)
    found: NDArray[np.float32] = shown.contiguous().numpy()
    return found


def draw(data: Cams) -> Figure:
    """Draws the images above, then a row for each network: the image in grey under its map, and what it predicts."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    rows, columns = len(data.networks) + 1, len(data.numbers)
    side = min(0.95, (WIDTH - 1.6) / columns)
    narrow = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, wspace=0.02, hspace=0.02)
    figure = Figure(figsize=(columns * side + 1.9, rows * (side + 0.17) + 0.5), layout=narrow)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        bare(axes)
    shown = None
    for column, (axes, label) in enumerate(zip(grid[0], data.labels, strict=True)):
        axes.imshow(data.pictures[column])
        axes.set_title(f"class {label}", fontsize=8, pad=2)
    _row_label(grid[0, 0], "image")
    grey = data.pictures.mean(3)
    for axes_row, network in zip(grid[1:], data.networks, strict=True):
        _row_label(axes_row[0], network.title.replace(" (", "\n("))
        for column, axes in enumerate(axes_row):
            height, width = grey[column].shape
            place = (-0.5, width - 0.5, height - 0.5, -0.5)
            axes.imshow(grey[column], cmap="gray", vmin=0, vmax=1, extent=place)
            shown = axes.imshow(
                network.heat[column], cmap=glow(), vmin=0, vmax=1, extent=place, interpolation="bilinear"
            )
            right = network.predicted[column] == data.labels[column]
            said = f"{'✓' if right else '✗'} {network.predicted[column]} ({100 * network.confidence[column]:.0f} %)"
            axes.set_xlabel(said, fontsize=7, labelpad=1, color=INK if right else WRONG)
    if shown is not None:
        bar = figure.colorbar(shown, ax=grid, shrink=0.6, pad=0.02, aspect=30)
        bar.set_label("Grad-CAM++ of the true class")
        bar.ax.set_facecolor("black")
    figure.suptitle(data.title, x=0.01, ha="left", fontsize=9)
    return figure


def glow() -> Colormap:
    """Makes the colours from nothing, through which the image is seen, to an almost opaque yellow, ever lighter."""
    import matplotlib
    from matplotlib.colors import ListedColormap

    steps = np.linspace(0, 1, 256)
    colours = matplotlib.colormaps["inferno"](0.3 + 0.65 * steps)
    colours[:, 3] = OPAQUE * steps
    return ListedColormap(colours)


def _row_label(axes: Axes, text: str) -> None:
    axes.set_ylabel(text, rotation=0, ha="right", va="center", fontsize=8, labelpad=4)


def numbers(data: Cams) -> Numbers:
    """Lists one line for each network, image and row of pixels; `x0`, `x1`, … are the map from left to right."""
    rows: list[Sequence[Cell]] = []
    for network in data.networks:
        own = (network.title, network.layer)
        each = zip(data.numbers, data.labels, network.predicted, network.confidence, network.heat, strict=True)
        for image, label, predicted, confidence, heat in each:
            for y, line in enumerate(heat.tolist()):
                rows.append((*own, image, label, predicted, confidence, y, *(round(v, 4) for v in line)))
    width = data.pictures.shape[2]
    columns = (
        "network",
        "layer",
        "test_image",
        "class",
        "predicted",
        "confidence",
        "y",
        *(f"x{x}" for x in range(width)),
    )
    return Numbers(columns, rows)
