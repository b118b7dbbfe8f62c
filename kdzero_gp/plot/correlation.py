"""`correlation`: how far students are from their teacher in which classes their scores rise and fall together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from kdzero_gp.plot.files import Cell, Numbers, Written, write_figure
from kdzero_gp.plot.networks import load_pair, pair_config
from kdzero_gp.plot.style import WIDTH, grid_of, printed
from kdzero_gp.plot.training_folders import read_trainings
from kdzero_gp.randomness import settled_torch
from kdzero_gp.taps.find import SCORES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Matrix = NDArray[np.float64]
MOST_TICKS = 20


@dataclass(frozen=True)
class Correlations:
    """Maps (K, K) of the Pearson correlations between the scores of two classes over the test images."""

    title: str
    teacher: Matrix
    students: dict[str, Matrix]

    def difference(self, label: str) -> Matrix:
        """Teacher minus student, (K, K)."""
        return self.teacher - self.students[label]

    def distance(self, label: str) -> float:
        """The mean of the difference's absolute values, the diagonal, which is 0, left out."""
        apart = np.abs(self.difference(label))
        classes = len(apart)
        return float(apart.sum() / (classes * (classes - 1)))


def correlation_figure(
    trainings: Sequence[str], *, out: str | Path = "figures", name: str = "correlation", **chosen: str | int | None
) -> Written:
    """Draws teacher minus student for every student, on one colour scale.

    Args:
        trainings: folders of `python -m kdzero_gp.train`, each with or without LABEL= in front.
        out, name: where the files go.
        chosen: see `pair_config`.

    Raises:
        KdzeroError: a folder is no training's, or the pair cannot be put together.
    """
    found = read_trainings(trainings)
    config = pair_config(found, **chosen)
    with settled_torch(config.threads, config.device):
        pair = load_pair(found, config)
    students = {student.title: logit_correlation(student.test[SCORES]) for student in pair.students}
    data = Correlations(pair.task.name, logit_correlation(pair.teacher.test[SCORES]), students)
    with printed():
        figure = draw(data)
    said = ", ".join(f"{label} {data.distance(label):.3f}" for label in students)
    return write_figure(
        out, name, figure, numbers(data), title=f"{data.title}, mean |teacher - student| of logit correlations: {said}"
    )


def logit_correlation(logits: Tensor) -> Matrix:
    """Pearson correlation of every two classes' scores over the images, (K, K); 0 for a class whose score is constant.

    Args:
        logits: (N, K).
    """
    scores = logits.detach().cpu().double().numpy()
    centred = scores - scores.mean(0)
    norms = np.sqrt((centred**2).sum(0))
    units = np.divide(centred, norms, out=np.zeros_like(centred), where=norms > 0)
    found: Matrix = np.clip(units.T @ units, -1, 1)
    np.fill_diagonal(found, 1.0)
    return found


def draw(data: Correlations) -> Figure:
    """A panel for each student; blue where the teacher's correlation is the lower one, red where it is the higher."""
    from matplotlib.figure import Figure

    rows, columns = grid_of(len(data.students))
    side = min(2.3, WIDTH / columns)
    figure = Figure(figsize=(columns * side + 0.7, rows * (side + 0.35) + 0.45), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    largest = max(float(np.abs(data.difference(label)).max()) for label in data.students) or 1.0
    classes = len(data.teacher)
    for axes in list(grid.flat)[len(data.students) :]:
        axes.set_visible(False)
    shown = None
    for axes, label in zip(grid.flat, data.students, strict=False):
        shown = axes.imshow(data.difference(label), cmap="RdBu_r", vmin=-largest, vmax=largest)
        axes.set_title(f"{label}\nmean |Δ| = {data.distance(label):.3f}")
        ticks = range(classes) if classes <= MOST_TICKS else range(0, classes, max(1, round(classes / 50) * 10))
        axes.set_xticks(ticks, [str(tick) for tick in ticks], fontsize=7)
        axes.set_yticks(ticks, [str(tick) for tick in ticks], fontsize=7)
        axes.spines[:].set_visible(True)
        axes.set_xlabel("class")
    grid[0, 0].set_ylabel("class")
    if shown is not None:
        bar = figure.colorbar(shown, ax=grid, shrink=0.8, pad=0.02)
        bar.set_label("Δ correlation, teacher - student")
        bar.outline.set_visible(False)
    figure.suptitle(data.title, x=0.01, ha="left", fontsize=9)
    return figure


def numbers(data: Correlations) -> Numbers:
    """One line for each student and pair of classes."""
    rows: list[Sequence[Cell]] = []
    for label, student in data.students.items():
        for (one, other), value in np.ndenumerate(data.teacher):
            ours = float(student[one, other])
            rows.append((label, one, other, float(value), ours, float(value) - ours))
    return Numbers(("student", "class", "other_class", "teacher", "correlation", "difference"), rows)
