"""The two stages of the CIFAR-100 benchmarks, a search and a comparison, and the result of both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.cifar100.searches import FinishedSearch, Searches
from benchmarks.cifar100.settings import Setting
from benchmarks.cifar100.table import claims, method_rows, setting_rows
from benchmarks.harness.result import Result, Scalar, make_result
from kdzero_gp import search
from kdzero_gp.compare.comparison import Comparison, compare
from kdzero_gp.compare.entries import LABEL, split_methods
from kdzero_gp.compare.progress import ComparisonProgress
from kdzero_gp.data import load_dataset
from kdzero_gp.errors import ConfigError
from kdzero_gp.methods.named import PLUS
from kdzero_gp.run.progress import ConsoleProgress
from kdzero_gp.store.schema import DATABASE_NAME


@dataclass(frozen=True)
class Folders:
    """Where things are, and what was made elsewhere.

    Attributes:
        keep: holds what this benchmark makes.
        runs: finished runs of `python -m kdzero_gp.run`, one for each run seed, instead of a search.
        comparison: a folder of `python -m kdzero_gp.compare` to add to.
    """

    keep: Path
    runs: tuple[Path, ...] = ()
    comparison: Path | None = None


def finished_search(folder: Path, setting: Setting, given: Mapping[str, Any], console: Console) -> FinishedSearch:
    """The search in a folder: made, gone on with, or read.

    Args:
        given: data, weights and machine.

    Raises:
        KdzeroError: the folder holds a run of other options, or something else.
    """
    where = "resume" if (folder / DATABASE_NAME).exists() else "run_dir"
    pair = {"teacher": setting.teacher, "student": setting.student}
    options: dict[str, Any] = {**pair, **setting.shared, **setting.search, **given, where: folder}
    with ConsoleProgress(console) as progress:
        search(observer=progress, **options)
    return FinishedSearch.read(folder)


def given_search(folder: Path, setting: Setting) -> FinishedSearch:
    """A run that was made by `python -m kdzero_gp.run`, whatever its size.

    Raises:
        KdzeroError: it is not finished, or of another pair.
    """
    found = FinishedSearch.read(folder)
    for side in ("teacher", "student"):
        wanted = getattr(setting, side)
        if found.config[side] != wanted:
            raise ConfigError(
                f"the run in {folder} has the {side} {found.config[side]}, but this benchmark is about {wanted}; give "
                "a run of that pair"
            )
    return found


def compared(
    folder: Path,
    setting: Setting,
    given: Mapping[str, Any],
    searched: Mapping[str, Path],
    also: Sequence[str],
    console: Console,
) -> Comparison:
    """The comparison in a folder: made, added to, or read.

    Args:
        searched: distiller files by label.
        also: methods beside them and the setting's.

    Raises:
        KdzeroError: the folder holds a comparison under other settings, or something else.
    """
    methods = [*setting.methods, *(f"{label}={file}" for label, file in searched.items()), *also]
    pair = {"teacher": setting.teacher, "student": setting.student}
    options: dict[str, Any] = {**pair, **setting.shared, **setting.compare, **given}
    with ComparisonProgress(console) as progress:
        return compare(methods, seeds=setting.seeds, out=folder, follower=progress, **options)


def labelled(also: str | None) -> list[tuple[str, str]]:
    """Label and text of each method in `LABEL=EXPR,…`.

    Raises:
        ConfigError: one has no label.
    """
    found = []
    for method in split_methods([also]) if also else []:
        parts = LABEL.fullmatch(method)
        if parts is None:
            raise ConfigError(f"--also has '{method}' without a label; give it one, as in 'kd+evolved=kd + evolved'")
        found.append((parts[1].strip(), parts[2].strip()))
    return found


def further_methods(also: Sequence[tuple[str, str]], searched: Mapping[str, Path]) -> list[str]:
    """Methods as `compare` takes them.

    Args:
        also: label and text of each.
        searched: distiller files by the word that stands for them, alone or in a sum: `kd + evolved`.

    Raises:
        ConfigError: one with `random`, where the search had no random arm.
    """
    methods = []
    for label, text in also:
        parts = [part.strip() for part in text.split(PLUS)]
        if "random" in parts and "random" not in searched:
            raise ConfigError(f"--also has '{label}={text}', but the search had no random arm; leave it out")
        methods.append(f"{label}={PLUS.join(str(searched.get(part, part)) for part in parts)}")
    return methods


def measure(
    name: str,
    setting: Setting,
    given: Mapping[str, Any],
    folders: Folders,
    also: str | None,
    options: Mapping[str, Scalar],
    console: Console,
) -> Result:
    """The whole benchmark, as a result of this name.

    Args:
        also: further methods, `LABEL=EXPR,…`.
        options: what the command was called with.

    Raises:
        KdzeroError: what is wrong with options, data, weights or folders.
    """
    further = labelled(also)
    found = Searches(
        tuple(given_search(folder, setting) for folder in folders.runs)
        or (finished_search(folders.keep / "search", setting, given, console),)
    )
    searched = found.files(folders.keep)
    more = further_methods(further, searched)
    outcome = compared(folders.comparison or folders.keep / "comparison", setting, given, searched, more, console)
    data = load_dataset(str(given["data"]), limit=setting.shared.get("limit"))
    images = [len(split) for split in (data.train, data.val, data.test)]
    return make_result(
        name,
        options,
        seeds=range(setting.seeds),
        rows=[*method_rows(outcome, found), *setting_rows(outcome, found, images)],
        claims=claims(outcome, found, published=setting.name == "full"),
        device=str(given.get("device", "cpu")),
    )
