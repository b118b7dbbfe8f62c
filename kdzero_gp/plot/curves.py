"""`curves`: training curves by epoch, mean and spread over the seeds of each method."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kdzero_gp.errors import ConfigError
from kdzero_gp.plot.figure import OUT, Name, Out, Trainings, figure
from kdzero_gp.plot.files import Cell, Numbers, Written, write_figure
from kdzero_gp.plot.style import WIDTH, Kind, Line, grid_of, lines, printed
from kdzero_gp.plot.training_folders import Training, read_trainings, require_same_pair
from kdzero_gp.tasks.kind import TaskKind
from kdzero_gp.untrusted import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOSS, QUALITY = "loss", "quality"
"""What is drawn: the task's own loss on training batches, and what students are ranked by, on validation images."""


@dataclass(frozen=True)
class Curve:
    """One quantity of one method: every seed's values by epoch."""

    seeds: Sequence[Sequence[float]]

    @property
    def mean(self) -> list[float]:
        """Over the seeds."""
        return [statistics.fmean(values) for values in zip(*self.seeds, strict=True)]

    @property
    def std(self) -> list[float] | None:
        """Standard deviation over the seeds; None for one."""
        if len(self.seeds) < 2:
            return None
        return [statistics.stdev(values) for values in zip(*self.seeds, strict=True)]


@dataclass(frozen=True)
class Method:
    """All trainings of one label.

    Attributes:
        curves: by quantity; that on validation images is missing where it was not measured.
        test: the quality of the last epoch in percent, of trainings that have ended.
    """

    label: str
    kind: Kind
    curves: dict[str, Curve]
    test: Sequence[float]


@figure("curves", "Training curves; folders of one label are seeds of one method.")
def curves_figure(trainings: Trainings, *, out: Out = OUT, name: Name = None) -> Written:
    """Draws the loss in training and the quality on validation images over the epochs.

    Args:
        trainings: folders of `python -m kdzero_gp.train`, each with or without LABEL= in front; those of one label are
            seeds of one method. They may still be going on.
        out, name: where the files go.

    Raises:
        KdzeroError: a folder is no training's, or they cannot stand in one figure.
    """
    found = read_trainings(trainings)
    require_same_pair(found)
    methods = group(found)
    first = found[0].config
    pair = printable(f"{first.teacher} -> {first.student} on {first.data.rpartition('/')[2]}", limit=80)
    with printed():
        drawn = draw(methods, pair, found[0].task_kind)
    said = ", ".join(f"{method.label} ends at {method.curves[LOSS].mean[-1]:.3g}" for method in methods)
    kind = found[0].task_kind
    title = f"{pair}, training {kind.loss_title}: {said}"
    return write_figure(out, name or "curves", drawn, numbers(methods, kind), title=title)


def group(trainings: Sequence[Training]) -> list[Method]:
    """Groups trainings by method, in the order of the first; seeds as far as all of them have come.

    Raises:
        ConfigError: one label for two distillers, or one seed twice.
    """
    by_label: dict[str, list[Training]] = {}
    for training in trainings:
        by_label.setdefault(training.label, []).append(training)
    return [_method(label, members) for label, members in by_label.items()]


def _method(label: str, members: Sequence[Training]) -> Method:
    first = members[0]
    for place, training in enumerate(members):
        if training.config.distiller != first.config.distiller:
            raise ConfigError(
                f"{first.folder} and {training.folder} are trained by different distillers, but both are called "
                f"'{label}'; give them labels: {label}=FOLDER"
            )
        if training.config.seed in [other.config.seed for other in members[:place]]:
            raise ConfigError(
                f"two trainings of '{label}' have seed {training.config.seed}, which is one training done twice; "
                "name one of them, or tell them apart by labels: LABEL=FOLDER"
            )
    logs = [training.epochs() for training in members]
    common = min(len(log) for log in logs)
    logs = [log[:common] for log in logs]
    weight, own = first.ce_weight, first.task_kind.loss_name
    curves = {LOSS: Curve([[row.terms.get(own, row.loss) / weight for row in log] for log in logs])}
    measured = [[100 * row.val_accuracy for row in log if row.val_accuracy is not None] for log in logs]
    if all(len(values) == common for values in measured):
        curves[QUALITY] = Curve(measured)
    test = [100 * training.result().quality for training in members if training.ended]
    return Method(label, first.kind, curves, test)


def draw(methods: Sequence[Method], pair: str, kind: TaskKind) -> Figure:
    """Draws a panel for each quantity, a line for each method, a band of one standard deviation over the seeds."""
    from matplotlib.figure import Figure

    axes_texts = {
        LOSS: f"training {kind.loss_title} (nats)",
        QUALITY: f"validation {kind.quality.name} ({kind.quality.unit})",
    }
    quantities = [name for name in axes_texts if any(name in method.curves for method in methods)]
    figure = Figure(figsize=(WIDTH / 2 * len(quantities) + 0.2, 3.1), layout="constrained")
    grid = figure.subplots(1, len(quantities), squeeze=False)
    styles = lines([method.kind for method in methods])
    for axes, quantity in zip(grid.flat, quantities, strict=True):
        for method, line in zip(methods, styles, strict=True):
            if quantity in method.curves:
                _curve(axes, method.curves[quantity], line, _legend(method))
        axes.set_xlabel("epoch")
        axes.set_ylabel(axes_texts[quantity])
        axes.grid()
        axes.margins(x=0.02)
    seeds = sorted({len(method.curves[LOSS].seeds) for method in methods})
    over = f"{pair}, {'-'.join(map(str, seeds))} seed{'s' if seeds[-1] > 1 else ''}"
    band = ", band: one standard deviation" if seeds[-1] > 1 else ""
    figure.suptitle(over + band, x=0.01, ha="left", fontsize=9)
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=grid_of(len(labels), most=3)[1], handlelength=3.2)
    return figure


def _curve(axes: Axes, curve: Curve, line: Line, label: str) -> None:
    mean, std = curve.mean, curve.std
    epochs = range(1, len(mean) + 1)
    every = max(1, len(mean) // 8)
    axes.plot(
        epochs,
        mean,
        color=line.colour,
        linestyle=line.dashes,
        linewidth=line.width,
        marker=line.marker,
        markersize=4,
        markevery=every,
        label=label,
    )
    if std is not None:
        low, high = ([m + sign * s for m, s in zip(mean, std, strict=True)] for sign in (-1, 1))
        axes.fill_between(epochs, low, high, color=line.colour, alpha=0.15, linewidth=0)


def _legend(method: Method) -> str:
    if not method.test:
        return method.label
    spread = f" ± {statistics.stdev(method.test):.2f}" if len(method.test) > 1 else ""
    return f"{method.label} (test {statistics.fmean(method.test):.2f}{spread} %)"


def numbers(methods: Sequence[Method], kind: TaskKind) -> Numbers:
    """Lists one line for each method, quantity and epoch."""
    names = {
        LOSS: kind.loss_title.replace("-", "_").replace(" ", "_"),
        QUALITY: f"validation_{kind.quality.key}_percent",
    }
    rows: list[Sequence[Cell]] = []
    for method in methods:
        for quantity, curve in method.curves.items():
            stds: Sequence[float | None] = curve.std or [None] * len(curve.mean)
            for epoch, (mean, std) in enumerate(zip(curve.mean, stds, strict=True), 1):
                rows.append((method.label, names[quantity], epoch, mean, std, len(curve.seeds)))
    return Numbers(("method", "quantity", "epoch", "mean", "std", "seeds"), rows)
