"""`tsne`: penultimate features of students and teacher laid out in the plane, images of one class in one colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from kdzero_gp.errors import ConfigError
from kdzero_gp.plot.chosen_images import balanced
from kdzero_gp.plot.figure import OUT, Name, Out, Trainings, figure
from kdzero_gp.plot.files import Cell, Numbers, Written, write_figure
from kdzero_gp.plot.networks import load_pair, pair_config, require_one_class
from kdzero_gp.plot.style import CLASSES, MARKERS, WIDTH, bare, grid_of, printed
from kdzero_gp.plot.training_folders import read_trainings
from kdzero_gp.randomness import settled_torch
from kdzero_gp.taps.read import POOL

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


@figure("tsne", "Penultimate features of students and teacher in the plane.")
def tsne_figure(
    trainings: Trainings,
    *,
    images: Annotated[int, typer.Option(help="Test images at most.")] = 500,
    classes: Annotated[int, typer.Option(help="Classes at most, up to 10.")] = 10,
    seed: Annotated[int, typer.Option(help="Of the layout.")] = 0,
    out: Out = OUT,
    name: Name = None,
    **chosen: str | int | None,
) -> Written:
    """Draws t-SNE layouts side by side, the teacher's last.

    Args:
        trainings: folders of `python -m kdzero_gp.train`, each with or without LABEL= in front.
        images, classes: how many of the test split at most, the first ones of the lowest classes in turn.
        seed: of the layout.
        out, name: where the files go.
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
        drawn = draw(data)
    said = ", ".join(f"{layout.title} {layout.silhouette:.2f}" for layout in layouts)
    return write_figure(
        out, name or "tsne", drawn, numbers(data), title=f"{data.title}, t-SNE of features, silhouette: {said}"
    )


def lay_out(features: Array, *, seed: int) -> Array:
    """Computes t-SNE from the first two principal components, (N, D) to (N, 2).

    Source: van der Maaten, Hinton: Visualizing Data using t-SNE (JMLR 2008); scikit-learn's implementation.
    """
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, (len(features) - 1) / 3)
    places = TSNE(init="pca", perplexity=perplexity, random_state=seed, n_jobs=1).fit_transform(features)
    return np.asarray(places, dtype=np.float64)


def separation(features: Array, labels: NDArray[np.int64]) -> float:
    """Computes the mean silhouette of the classes in the features; 0 where there is one class, or one image of each."""
    from sklearn.metrics import silhouette_score

    if not 2 <= len(set(labels.tolist())) < len(labels):
        return 0.0
    return float(silhouette_score(features, labels))


def draw(data: Embedding) -> Figure:
    """Draws a panel for each network without axes, whose units mean nothing, and one legend of the classes."""
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
    """Lists one line for each network and image."""
    rows: list[Sequence[Cell]] = []
    for layout in data.layouts:
        for image, label, (x, y) in zip(data.images, data.labels, layout.places.tolist(), strict=True):
            rows.append((layout.title, image, label, x, y, layout.silhouette))
    return Numbers(("network", "test_image", "class", "x", "y", "silhouette"), rows)
