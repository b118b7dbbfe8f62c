"""The evolved distiller of the paper's figures, and the comparisons under several teachers."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.figures.settings import ALONE, EVOLVED, Plan, Teacher
from kdzero_gp.compare.comparison import Comparison, compare
from kdzero_gp.compare.entries import make_entries
from kdzero_gp.compare.folder import TRAININGS
from kdzero_gp.compare.probe import calibrated
from kdzero_gp.compare.progress import ComparisonProgress
from kdzero_gp.compare.setup import comparison_config, comparison_task
from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.errors import ConfigError
from kdzero_gp.export.distiller_file import load, save
from kdzero_gp.grammar.parse import parse
from kdzero_gp.methods.named import is_file_name
from kdzero_gp.randomness import settled_torch


def evolved_file(plan: Plan, keep: Path, machine: Mapping[str, Any]) -> Path:
    """The evolved distiller in the folder, for all trainings: a copy of the file, or the text form as a file.

    A text form is calibrated as a search does it, under the first teacher.

    Raises:
        KdzeroError: it cannot be read, or the folder has another one.
    """
    path = keep / f"{EVOLVED}.json"
    is_file = is_file_name(plan.distiller)
    wanted = load(plan.distiller) if is_file else None
    if path.exists():
        kept = load(path)
        tree = parse(plan.distiller) if wanted is None else wanted.tree
        same = str(kept.tree) == str(tree)
        if not same or (wanted is not None and kept.calibration.tolist() != wanted.calibration.tolist()):
            raise ConfigError(
                f"{keep} holds trainings of the distiller {kept.tree}, but {plan.distiller} was given; leave it out, "
                "or give another --keep"
            )
        return path.resolve()
    if is_file:
        shutil.copyfile(Path(plan.distiller).expanduser(), path)
        return path.resolve()
    first = plan.teachers[0]
    config, recipe = comparison_config(*_options(plan, first, machine))
    with settled_torch(config.threads, config.device):
        task = comparison_task(config, recipe)
        (entry,) = make_entries([plan.distiller], task.student_taps.stages)
        named = calibrated(entry, task, config.seed).named
    if named.tree is None:
        raise ConfigError(f"'{plan.distiller}' is no distiller; give a best.json or a text form by --distiller")
    distiller = Distiller(named.tree, calibration=named.calibration)
    return save(distiller, path, teacher=first.name, student=plan.student).resolve()


def compared(
    plan: Plan,
    teacher: Teacher,
    folder: Path,
    evolved: Path,
    machine: Mapping[str, Any],
    workers: int,
    console: Console,
) -> Comparison:
    """The comparison under one teacher: made, gone on with, or read.

    Raises:
        KdzeroError: the folder holds a comparison under other settings, or something else.
    """
    methods = [*plan.compared, f"{EVOLVED}={evolved}"]
    methods += [f"{name}+{EVOLVED}={name} + {evolved}" for name in plan.compared if name != ALONE]
    options, preset = _options(plan, teacher, machine)
    with ComparisonProgress(console) as progress:
        return compare(
            methods, seeds=plan.seeds, out=folder, preset=preset, follower=progress, workers=workers, **options
        )


def begin_with(folder: Path, earlier: Path) -> None:
    """Copies the trainings of an earlier comparison, so that those which are of use need not be done again.

    Raises:
        ConfigError: there is none.
    """
    if folder.exists():
        return
    if not (earlier / TRAININGS).is_dir():
        raise ConfigError(f"--compared {earlier} is no folder of a comparison; give one of python -m kdzero_gp.compare")
    shutil.copytree(earlier, folder)


def _options(plan: Plan, teacher: Teacher, machine: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
    """Options of a comparison, and its recipe's name."""
    pair = {"data": plan.data, "student": plan.student, "teacher": teacher.name, **teacher.options}
    options = {**pair, **plan.recipe, **machine}
    return options, options.pop("preset", None)
