"""From trainings and comparisons to the rows that stand beside the paper's figures."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.cifar100.table import NAMES
from benchmarks.figures.trainings import Job
from benchmarks.harness.result import Row
from kdzero_gp.compare.comparison import Comparison
from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.plot.files import Written


def training_rows(students: Mapping[tuple[str, int], Job], teachers: Mapping[str, Job]) -> list[Row]:
    """One row for each training, teachers that were trained here first."""
    named = [(f"teacher {name}", 0, job) for name, job in teachers.items()]
    named += [(NAMES.get(label, label), seed, job) for (label, seed), job in students.items()]
    rows: list[Row] = []
    for name, seed, job in named:
        found = job.result
        rows.append(
            {
                "part": "trainings",
                "trained": name,
                "seed": seed,
                "images": found["images"],
                "epochs": found["epochs"],
                "test %": 100 * found["top1"],
                "top-5 %": None if found["top5"] is None else 100 * found["top5"],
                "s": round(found["seconds"], 1),
            }
        )
    return rows


def comparison_rows(comparisons: Mapping[str, Comparison]) -> list[Row]:
    """One row for each teacher and method; the single trainings stay in the file."""
    return [
        {
            "part": "comparisons",
            "teacher": teacher,
            "distiller": NAMES.get(row.label, row.label),
            "test %": _percent(row.mean),
            "test % std": _percent(row.std),
            "gain": _percent(row.gain),
            "n": row.trained,
            "every training": [_percent(value) for value in row.accuracy],
        }
        for teacher, comparison in comparisons.items()
        for row in comparison.rows
    ]


def setting_rows(comparisons: Mapping[str, Comparison], evolved: Distiller) -> list[Row]:
    """Teachers, recipe and distiller."""
    first = next(iter(comparisons.values())).facts
    recipe, augmentation = first.settings["recipe"], first.settings["augmentation"]
    trainings = f"{recipe['epochs']} epochs, batch {recipe['batch_size']}, lr {recipe['lr']:g}, {recipe['schedule']}"
    factors = ", ".join(f"{factor:.4g}" for factor in evolved.calibration.tolist())
    pairs = [
        ("recipe of every student", f"{trainings}, {augmentation['views']} views"),
        *((f"teacher {name}, test", f"{100 * c.facts.teacher_accuracy:.2f} %") for name, c in comparisons.items()),
        ("evolved", str(evolved.tree)),
        ("its calibration", factors),
    ]
    return [{"part": "setting", "what": what, "value": value} for what, value in pairs]


def figure_rows(figures: Sequence[Written], root: Path) -> list[Row]:
    """The pictures and the numbers behind them, by paths within the repository where they lie in it."""
    return [
        {
            "part": "figures",
            "figure": figure.png.stem,
            "picture": shown(figure.png, root),
            "data": shown(figure.csv, root),
        }
        for figure in figures
    ]


def shown(path: Path, root: Path) -> str:
    """A path within the root, else the file's name alone."""
    path = path.resolve()
    return str(path.relative_to(root)) if path.is_relative_to(root) else path.name


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share
