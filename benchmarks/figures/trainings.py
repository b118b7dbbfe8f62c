"""Single trainings of the paper's figures, side by side in processes; each goes on where it stopped."""

import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.figures.settings import EVOLVED, Plan, Teacher
from kdzero_gp.train.files import CONFIG_NAME, RESULT_NAME, STUDENT_NAME, read_json
from kdzero_gp.train.session import resumed_config, train


@dataclass(frozen=True)
class Job:
    """One training.

    Attributes:
        name: what is trained, for people.
        folder: as `python -m kdzero_gp.train` leaves it.
        options: of that command, by name.
    """

    name: str
    folder: Path
    options: Mapping[str, Any]

    @property
    def ended(self) -> bool:
        """Whether it came to its last epoch."""
        return (self.folder / RESULT_NAME).exists()

    @property
    def result(self) -> dict[str, Any]:
        """What it came to."""
        return read_json(self.folder / RESULT_NAME)


def student_jobs(plan: Plan, keep: Path, evolved: Path, machine: Mapping[str, Any]) -> dict[tuple[str, int], Job]:
    """The students of the first teacher, by label and seed; a part of the images tells their validation accuracy.

    Args:
        evolved: file of the evolved distiller.
        machine: `device` and `amp`.
    """
    first = plan.teachers[0]
    pair = {"data": plan.data, "student": plan.student, "teacher": first.name, **first.options}
    jobs = {}
    for label in (*plan.trained, EVOLVED):
        distiller = str(evolved) if label == EVOLVED else label
        for seed in range(plan.seeds):
            own = {"distiller": distiller, "seed": seed, "train_on": "train"}
            folder = keep / "trainings" / f"{label}-{seed}"
            jobs[label, seed] = Job(f"{label}, seed {seed}", folder, {**pair, **plan.recipe, **machine, **own})
    return jobs


def teacher_jobs(plan: Plan, keep: Path, machine: Mapping[str, Any]) -> dict[str, Job]:
    """The teachers that are trained here, by name: as students that nobody teaches."""
    first = plan.teachers[0]
    pair = {"data": plan.data, "teacher": first.name, **first.options}
    return {
        teacher.name: Job(
            f"teacher {teacher.name}",
            keep / "teachers" / teacher.name,
            {**pair, "student": teacher.name, **teacher.training, **machine, "distiller": "none"},
        )
        for teacher in plan.teachers
        if teacher.training is not None
    }


def with_weights(teacher: Teacher, job: Job) -> Teacher:
    """The teacher as its training left it. It sees images normalised as it saw them then, however many there are."""
    seen = job.result["input"]
    norm = "/".join(",".join(map(repr, seen[name])) for name in ("mean", "std"))
    return replace(teacher, options={"teacher_weights": str(job.folder / STUDENT_NAME), "teacher_norm": norm})


def carry_out(jobs: Sequence[Job], workers: int, say: Callable[[str], None]) -> None:
    """Does the trainings that have not ended.

    Raises:
        KdzeroError: what is wrong with options, data or weights; or a folder holds a training of other options.
    """
    for job in jobs:
        if (job.folder / CONFIG_NAME).exists():
            resumed_config(job.folder, dict(job.options))
    missing = [job for job in jobs if not job.ended]
    if workers == 1 or len(missing) < 2:
        for job in missing:
            _train(job)
            say(_said(job))
        return
    with ProcessPoolExecutor(min(workers, len(missing)), mp_context=multiprocessing.get_context("spawn")) as pool:
        running = {pool.submit(_train, job): job for job in missing}
        for done in as_completed(running):
            done.result()
            say(_said(running[done]))


def _train(job: Job) -> None:
    if (job.folder / CONFIG_NAME).exists():
        train(resume=job.folder, **job.options)
    else:
        train(run_dir=job.folder, **job.options)


def _said(job: Job) -> str:
    return f"trained {job.name}: {100 * job.result['top1']:.2f} % in {job.result['seconds']:.0f} s"
