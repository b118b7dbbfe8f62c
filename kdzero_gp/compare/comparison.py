"""`compare`: methods x seeds on one pair, from options to table, text, CSV, JSON and plot."""

import datetime
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdzero_gp.compare.entries import Entry, make_entries, split_methods, widened
from kdzero_gp.compare.folder import ComparisonFolder
from kdzero_gp.compare.probe import calibrated, learned_parameters
from kdzero_gp.compare.report import Facts, write_report
from kdzero_gp.compare.setup import (
    comparison_config,
    comparison_evaluator,
    comparison_executor,
    comparison_settings,
    comparison_task,
    settled_fuse,
)
from kdzero_gp.compare.statistics import Row, make_rows
from kdzero_gp.compare.trainings import Follower, Nobody, stored_trainings, train_missing
from kdzero_gp.errors import ConfigError, KdzeroError
from kdzero_gp.execute.worker_count import worker_count
from kdzero_gp.models import parameter_count
from kdzero_gp.provenance import hardware, versions
from kdzero_gp.randomness import settled_torch
from kdzero_gp.store.folder import default_folder
from kdzero_gp.tasks.task import Task
from kdzero_gp.train.config import Calibrate, TrainOn


@dataclass(frozen=True)
class Comparison:
    """What came of a comparison.

    Attributes:
        folder: holds the trainings, and the table as text, CSV, JSON and plot.
        rows: by falling mean on the test split.
        facts: what they depend on; `facts.baseline` is the label of the hand-designed method that the others are tested
            against.
    """

    folder: Path
    rows: Sequence[Row]
    facts: Facts


def compare(
    methods: str | Sequence[str],
    *,
    seeds: int = 3,
    out: str | Path | None = None,
    preset: str | None = None,
    train_on: TrainOn = "all",
    calibrate: Calibrate = "none",
    retry_failed: bool = False,
    task: Task | str | None = None,
    follower: Follower | None = None,
    **options: Any,
) -> Comparison:
    """Trains a student by several methods with several seeds, under one recipe, and makes the table of them.

    Every finished training is kept: the same call goes on where an earlier one stopped, and one with more methods or
    seeds only adds. Nothing is selected by the test split, on which the table stands.

    Args:
        methods: a text with commas or one text each: method names, `none`, text forms, paths of `best.json`, each with
            or without LABEL= in front. `all` stands for every hand-designed method that fits the pair, `trees` for
            those that are trees.
        seeds: how many, numbered from 0. Those of one number share the student's initialisation and the batches.
        out: the folder, by default a new one in `comparisons/`.
        preset: the recipe's name, by default the one the student is known by.
        train_on: the training split and, with `all`, the validation split too, as published recipes do.
        calibrate: whether text forms are scaled to the cross-entropy's gradient norm; files have their own calibration,
            and methods their published weights.
        retry_failed: do failed trainings again.
        task: the name of a kind of task, or a task built from your own networks, recipe included, instead of
            `teacher`, `student`, `data` and `preset`.
        follower: told of every training.
        options: of `python -m kdzero_gp.compare`, with underscores: `data=…, teacher=…, epochs=…, device=…`.

    Raises:
        KdzeroError: what is wrong with options, methods, data, models or the folder; nothing was trained then.
    """
    if not 1 <= seeds <= 1000:
        raise ConfigError(f"--seeds is {seeds}, but must be from 1 to 1000")
    texts = split_methods([methods] if isinstance(methods, str) else methods)
    if task is not None:
        options["task"] = task.kind.name if isinstance(task, Task) else task
    config, recipe = comparison_config(options | {"calibrate": calibrate}, preset, train_on)
    own_task = isinstance(task, Task)
    workers = worker_count(config, own_task=own_task)
    if own_task and config.executor not in ("auto", "inprocess"):
        raise ConfigError(
            f"executor is {config.executor}, but a task of your own cannot travel to worker processes; leave it out"
        )
    with settled_torch(config.threads, config.device):
        task = task if isinstance(task, Task) else comparison_task(config, recipe, train_on)
        entries, left_out = _entered(texts, task)
        for entry in entries:
            entry.named.check(task.kind, f"the method {entry.label}")
        if config.calibrate == "gradient":
            entries = [calibrated(entry, task, config.seed) for entry in entries]
        learned = {entry.key: learned_parameters(entry, task) for entry in entries}
        settings = comparison_settings(config, task, own_task=own_task, train_on="train" if own_task else train_on)
        with ComparisonFolder(
            Path(out) if out is not None else default_folder(config.teacher, config.student, "comparisons"), settings
        ) as folder:
            stored = stored_trainings(folder, entries, range(seeds), retry_failed=retry_failed)
            follower = follower or Nobody()
            wanted = {(entry.key, number) for entry in entries for number in range(seeds)}
            follower.started(task.name, str(folder.path), len(stored), len(wanted) - len(stored))
            results = stored
            if len(stored) < len(wanted):
                config = settled_fuse(config, task, len(entries))
                evaluator = comparison_evaluator(config, task)
                with closing(comparison_executor(config, evaluator, workers)) as executor:
                    results = train_missing(
                        entries, range(seeds), stored, folder, executor, follower, together=config.together[0]
                    )
            by_key = {entry.key: [results[entry.key, number] for number in range(seeds)] for entry in entries}
            rows, baseline = make_rows(entries, by_key, learned, task.kind)
            facts = Facts(
                title=task.name,
                epochs=task.recipe.epochs,
                seeds=seeds,
                student_parameters=parameter_count(task.student(0)),
                teacher_parameters=parameter_count(task.teacher),
                teacher_accuracy=task.kind.teacher_measures(task, "test")[task.kind.quality.key],
                baseline=baseline,
                settings=settings,
                date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
                hardware=hardware(config.device),
                versions=versions(),
                left_out=left_out,
            )
            write_report(folder.path, rows, facts)
    return Comparison(folder.path, rows, facts)


def _entered(texts: Sequence[str], task: Task) -> tuple[list[Entry], dict[str, str]]:
    """Gives the entries that texts name, and why others of `all` or `trees` are left out."""
    stages = task.student_taps.stages
    single, wide = widened(texts)
    left_out: dict[str, str] = {}
    for name in wide:
        try:
            (entry,) = make_entries([name], stages)
            entry.named.check(task.kind, "it")
            learned_parameters(entry, task)
        except KdzeroError as error:
            left_out[name] = str(error)
    return make_entries([*single, *(name for name in wide if name not in left_out)], stages), left_out
