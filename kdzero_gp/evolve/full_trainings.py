"""Full trainings of several distillers with several seeds, each kept in the store as it ends."""

from collections.abc import Callable, Mapping

from kdzero_gp.evaluate.candidate import Candidate, FullSplit, FullTraining
from kdzero_gp.execute.protocol import Executor, FullJob
from kdzero_gp.store import RunStore

ALONE = "student alone"
"""Name of the student that is trained without a distiller."""


def run_full_trainings(
    candidates: Mapping[str, Candidate],
    seeds: int,
    split: FullSplit,
    executor: Executor,
    store: RunStore,
    *,
    done: Callable[[str, int], None],
) -> dict[str, list[FullTraining]]:
    """Trains every candidate with every seed; results the store holds are read instead of repeated.

    Args:
        candidates: by a name that is unique within the run.
        seeds: how many, numbered from 0; all candidates of one number start from the same student.
        split: what is measured in the end.
        done: is called after every training.

    Returns:
        By name, one result for each seed.
    """
    results: dict[tuple[str, int], FullTraining] = {}
    jobs: list[tuple[str, int]] = []
    for number in range(seeds):
        for name in candidates:
            stored = store.result(_key(split, name, number))
            if isinstance(stored, dict):
                results[name, number] = FullTraining(**stored)
            else:
                jobs.append((name, number))
    for position, result in executor.run([FullJob(candidates[name], number, split) for name, number in jobs]):
        if not isinstance(result, FullTraining):
            raise TypeError(f"a full training gave a {type(result).__name__}")
        name, number = jobs[position]
        results[name, number] = result
        record = {"parts": result.parts, "seconds": result.seconds, "error": result.error}
        store.put_result(_key(split, name, number), record)
        done(name, number)
    return {name: [results[name, number] for number in range(seeds)] for name in candidates}


def _key(split: str, name: str, number: int) -> str:
    return f"full/{split}/{name}/{number}"
