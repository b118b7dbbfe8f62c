"""`tsne`: penultimate features of students and teacher laid out in the plane, images of one class in one colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kdzero_gp.errors import ConfigError
from kdzero_gp.plot.chosen_images import balanced
from kdzero_gp.plot.files import Cell, Numbers, Written, write_figure
from kdzero_gp.plot.networks import load_pair, pair_config, require_one_class
from kdzero_gp.plot.style import CLASSES, MARKERS, WIDTH, bare, grid_of, printed
from kdzero_gp.plot.training_folders import read_trainings
from kdzero_gp.randomness import settled_torch
from kdzero_gp.taps.find import POOL

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]
PERPLEXITY = 30.0
FEWEST = 10
"""Images below which a layout says nothing."""


@dataclass(frozen=True)
class Layout:
    """One network's images in the plane.

    Attributes:
        places: (N, 2).
        silhouette: of the classes in the features themselves, -1 … 1: how much nearer an image is to its own class.
    """

    title: str
    places: Array
    silhouette: float


@dataclass(frozen=True)
class Embedding:
    """The same test images in several networks.

    Attributes:
        images: their numbers in the test split, (N,).
        labels: (N,).
    """

    title: str
    images: Sequence[int]
    labels: Sequence[int]
    layouts: Sequence[Layout]


def tsne_figure(
    trainings: Sequence[str],
    *,
    out: str | Path = "figures",
    name: str = "tsne",
    images: int = 500,
    classes: int = 10,
    seed: int = 0,
    **chosen: str | int | None,
) -> Written:
    """Draws t-SNE layouts side by side, the teacher's last.

    Args:
        trainings: folders of `python -m kdzero_gp.train`, each with or without LABEL= in front.
        out, name: where the files go.
        images, classes: how many of the test split at most, the first ones of the lowest classes in turn.
        seed: of the layout.
        chosen: see `pair_config`.

    Raises:
        KdzeroError: a folder is no training's, or the pair cannot be put together.
    """
    if images < FEWEST:
        raise ConfigError(f"--images is {images}, but must be at least {FEWEST} for a layout")
    if not 2 <= classes <= len(CLASSES):
        raise ConfigError(
            f"--classes is {classes}, but must be 2 to {len(CLASSES)}, the colours that can be told apart"
        )
    found = read_trainings(trainings)
    require_one_class(found, "tsne")
    config = pair_config(found, **chosen)
    with settled_torch(config.threads, config.device):
        pair = load_pair(found, config)
    labels = pair.task.targets("test").cpu()
    numbers_ = balanced(labels, images, classes)
    if POOL not in pair.teacher.test:
        raise ConfigError(f"{pair.task.name} has no pooled features in common; --list-taps of a run shows what it has")
    own = labels[numbers_].numpy()
    layouts = []
    for network in (*pair.students, pair.teacher):
        features = network.test[POOL].cpu()[numbers_].double().numpy()
        layouts.append(Layout(network.title, lay_out(features, seed=seed), separation(features, own)))
    data = Embedding(pair.task.name, numbers_.tolist(), own.tolist(), layouts)
    with printed():
        figure = draw(data)
    said = ", ".join(f"{layout.title} {layout.silhouette:.2f}" for layout in layouts)
    return write_figure(out, name, figure, numbers(data), title=f"{data.title}, t-SNE of features, silhouette: {said}")


def lay_out(features: Array, *, seed: int) -> Array:
    """t-SNE from the first two principal components, (N, D) to (N, 2).

    Source: van der Maaten, Hinton: Visualizing Data using t-SNE (JMLR 2008); scikit-learn's implementation.
    """
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, (len(features) - 1) / 3)
    places = TSNE(init="pca", perplexity=perplexity, random_state=seed, n_jobs=1).fit_transform(features)
    return np.asarray(places, dtype=np.float64)


def separation(features: Array, labels: NDArray[np.int64]) -> float:
    """The mean silhouette of the classes in the features; 0 where each image is of its own class, or all of one."""
    from sklearn.metrics import silhouette_score

    if not 2 <= len(set(labels.tolist())) < len(labels):
        return 0.0
    return float(silhouette_score(features, labels))


def draw(data: Embedding) -> Figure:
    """A panel for each network without axes, whose units mean nothing, and one legend of the classes."""
    from matplotlib.figure import Figure

    rows, columns = grid_of(len(data.layouts))
    side = WIDTH / max(columns, 3)
    figure = Figure(figsize=(columns * side, rows * (side + 0.35) + 0.55), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in list(grid.flat)[len(data.layouts) :]:
        axes.set_visible(False)
    labels = np.asarray(data.labels)
    for axes, layout in zip(grid.flat, data.layouts, strict=False):
        for place, label in enumerate(sorted(set(data.labels))):
            own = layout.places[labels == label]
            axes.scatter(
                *own.T,
                s=11,
                color=CLASSES[place % len(CLASSES)],
                marker=MARKERS[place % len(MARKERS)],
                linewidths=0.3,
                edgecolors="white",
                label=str(label),
            )
        axes.set_title(f"{layout.title}\nsilhouette {layout.silhouette:.2f}")
        bare(axes)
        axes.set_box_aspect(1)
    handles, names = grid[0, 0].get_legend_handles_labels()
    figure.suptitle(data.title, x=0.01, ha="left", fontsize=9)
    figure.legend(handles, names, title="class", loc="outside lower center", ncols=10, markerscale=1.6, columnspacing=1)
    return figure


def numbers(data: Embedding) -> Numbers:
    """One line for each network and image."""
    rows: list[Sequence[Cell]] = []
    for layout in data.layouts:
        for image, label, (x, y) in zip(data.images, data.labels, layout.places.tolist(), strict=True):
            rows.append((layout.title, image, label, x, y, layout.silhouette))
    return Numbers(("network", "test_image", "class", "x", "y", "silhouette"), rows)
