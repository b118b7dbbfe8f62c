"""The trainings of a comparison: those that its folder lacks are done, each kept as it ends."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from kdzero_gp.compare.entries import Entry
from kdzero_gp.compare.folder import ComparisonFolder
from kdzero_gp.evaluate.candidate import FullTraining, FullTrainings
from kdzero_gp.execute.protocol import Executor, FullGroupJob, FullJob, Result

Results = dict[tuple[str, int], FullTraining]
"""By key of the entry and number of the seed."""


class Follower(Protocol):
    """Follows a comparison."""

    def started(self, title: str, folder: str, stored: int, missing: int) -> None:
        """Is told how many trainings are stored, and how many are to be done."""
        ...

    def trained(self, label: str, number: int, result: FullTraining) -> None:
        """Is told of a training that is done."""
        ...


class Nobody:
    """Follows nothing."""

    def started(self, title: str, folder: str, stored: int, missing: int) -> None:
        """Does nothing."""

    def trained(self, label: str, number: int, result: FullTraining) -> None:
        """Does nothing."""


def stored_trainings(
    folder: ComparisonFolder, entries: Sequence[Entry], seeds: Iterable[int], *, retry_failed: bool
) -> Results:
    """Reads what the folder holds of these entries and seeds.

    Args:
        retry_failed: forget trainings that failed.
    """
    found: Results = {}
    for number in seeds:
        for entry in entries:
            result = folder.result(entry, number)
            if result is not None and result.error is not None and retry_failed:
                folder.forget(entry, number)
            elif result is not None:
                found[entry.key, number] = result
    return found


def train_missing(
    entries: Sequence[Entry],
    seeds: Iterable[int],
    stored: Results,
    folder: ComparisonFolder,
    executor: Executor,
    follower: Follower,
    *,
    together: int = 1,
) -> Results:
    """Does every training that is not stored; whole seeds first, so that one that is stopped has pairs to compare.

    All entries of one seed's number start from the same student and see the same batches.

    Args:
        together: how many are trained in one program.
    """
    results = dict(stored)

    def keep(entry: Entry, number: int, result: FullTraining) -> None:
        folder.keep(entry, number, result)
        results[entry.key, number] = result
        follower.trained(entry.label, number, result)

    groups = missing_groups(entries, seeds, stored, together)
    alone: list[tuple[Entry, int]] = []
    for position, outcome in executor.run([_job(group, number) for group, number in groups]):
        group, number = groups[position]
        each = _each(outcome)
        if len(group) > 1 and _befell_the_program(each):
            alone += [(entry, number) for entry in group]
            continue
        for entry, result in zip(group, each, strict=True):
            keep(entry, number, result)
    for position, outcome in executor.run([_job([entry], number) for entry, number in alone]):
        keep(*alone[position], *_each(outcome))
    return results


def missing_groups(
    entries: Sequence[Entry], seeds: Iterable[int], stored: Results, together: int
) -> list[tuple[list[Entry], int]]:
    """Groups the missing trainings that run in one program, by number of the seed."""
    by_key: dict[str, Entry] = {}
    for entry in entries:
        by_key.setdefault(entry.key, entry)
    distinct = list(by_key.values())
    chunks = [distinct[first : first + together] for first in range(0, len(distinct), together)]
    groups = [([e for e in chunk if (e.key, number) not in stored], number) for number in seeds for chunk in chunks]
    return [(group, number) for group, number in groups if group]


def _job(group: Sequence[Entry], number: int) -> FullJob | FullGroupJob:
    if len(group) == 1:
        return FullJob(group[0].candidate, number, "test")
    return FullGroupJob(tuple(entry.candidate for entry in group), number, "test")


def _each(outcome: Result) -> tuple[FullTraining, ...]:
    match outcome:
        case FullTraining():
            return (outcome,)
        case FullTrainings(each):
            return each
    raise TypeError(f"a full training gave a {type(outcome).__name__}")


def _befell_the_program(each: Sequence[FullTraining]) -> bool:
    """Tells whether all trainings failed of one cause, such as a lost worker."""
    return each[0].error is not None and len({result.error for result in each}) == 1
