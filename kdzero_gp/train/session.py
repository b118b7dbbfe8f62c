"""From options to a finished training: folder, networks, data, distiller, processes."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdzero_gp.data.sources.all_images import on_all_images
from kdzero_gp.errors import ConfigError
from kdzero_gp.loops.ranks import Ranks, launched
from kdzero_gp.methods.named import NamedDistiller, named_distiller
from kdzero_gp.pair.assemble import load_primitives, make_data, make_task
from kdzero_gp.pair.own_code import CODE, code_digests, remember_code, require_known_code, require_same_code
from kdzero_gp.pair.stored import resume_config
from kdzero_gp.randomness import settled_torch
from kdzero_gp.store.folder import default_folder, reserve_folder
from kdzero_gp.tasks.task import Task
from kdzero_gp.train.config import FitConfig, make_fit_config
from kdzero_gp.train.files import CONFIG_NAME, read_json, write_json
from kdzero_gp.train.fit import fit
from kdzero_gp.train.record import FitObserver, FitResult


def train(
    *,
    run_dir: str | Path | None = None,
    resume: str | Path | None = None,
    observer: FitObserver | None = None,
    **options: Any,
) -> FitResult:
    """Trains one student with one distiller, in a folder of its own.

    Args:
        run_dir: folder of a new training, by default `runs/` and the date and pair.
        resume: folder of a training to go on with; its configuration counts.
        observer: follows the training.
        options: those of `python -m kdzero_gp.train`, with underscores: `distiller="kd", epochs=240, …`.

    Raises:
        KdzeroError: bad options, data, models, distillers or folders; a loss that became NaN.
    """
    if resume is not None and run_dir is not None:
        raise ConfigError(
            f"--run-dir {run_dir} begins a new training and --resume {resume} goes on with an old one; give one of both"
        )
    config = make_fit_config(**options) if resume is None else resumed_config(Path(resume), options)
    with settled_torch(config.threads, config.device), launched(config.device) as (ranks, device):
        folder = Path(resume or ranks.agreed(str(run_dir or default_folder(config.teacher, config.student))))
        new = resume is None and ranks.first
        with reserve_folder(folder) if new else nullcontext():
            setup = assembled(config, device)
            if new:
                code = code_digests(config)
                write_json(folder / CONFIG_NAME, config.identity | ({CODE: code} if code else {}))
        return _fitted(setup, config, folder, ranks, observer)


@dataclass(frozen=True)
class Setup:
    """The objects of a training."""

    task: Task
    named: NamedDistiller


def assembled(config: FitConfig, device: str) -> Setup:
    """Makes data, networks and distiller, before anything is trained but a teacher without weights.

    Raises:
        KdzeroError: what is wrong with them.
    """
    here = config.model_copy(update={"device": device})
    remember_code(here)
    load_primitives(here)
    data = make_data(here)
    task = make_task(here, data)
    named = named_distiller(config.distiller, task.student_taps.stages)
    named.check(task.kind, "the distiller")
    if config.train_on == "all":
        task.data = on_all_images(data)  # after the teacher, which belongs to the data as a search splits them
    return Setup(task, named)


def _fitted(setup: Setup, config: FitConfig, folder: Path, ranks: Ranks, observer: FitObserver | None) -> FitResult:
    about = {
        "teacher": config.teacher,
        "student": config.student,
        "data": config.data,
        "train_on": config.train_on,
    }
    return fit(
        setup.task,
        setup.named,
        config.recipe,
        seed=config.seed,
        folder=folder,
        resume=True,
        calibrate=config.calibrate == "gradient",
        validate=config.train_on == "train",
        accumulate=config.accumulate,
        ranks=ranks,
        about=about,
        observer=observer,
    )


def resumed_config(folder: Path, options: dict[str, Any]) -> FitConfig:
    """Makes the configuration of a training that is gone on with: the stored one.

    Raises:
        ConfigError: an option was given that differs from it.
        StoreError: the folder holds no training, or one of another program version.
    """
    given = {name: value for name, value in options.items() if value is not None}
    stored = read_json(folder / CONFIG_NAME)
    before = stored.pop(CODE, None)
    require_known_code(folder, stored, given)
    config = resume_config(folder, stored, given, make_fit_config, what="training")
    require_same_code(folder, before, config, what="training")
    return config
