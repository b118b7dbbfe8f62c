"""From a finished search and a comparison to the table and the claims of the benchmark."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from benchmarks.cifar100_settings import BETTER_BY, MARKS, WITHIN
from benchmarks.result import Claim, Row
from kdzero_gp.comparison import Comparison
from kdzero_gp.comparison.statistics import Row as Compared
from kdzero_gp.comparison.statistics import both, paired_test
from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.distiller.export import save
from kdzero_gp.errors import StoreError
from kdzero_gp.store import RunStore

NAMES = {
    "none": "student alone",
    "kd": "KD",
    "at": "AT",
    "sp": "SP",
    "dist": "DIST",
    "dkd": "DKD",
    "random": "random search",
    "evolved": "evolved",
}
"""Label in the comparison -> row of the table."""


@dataclass(frozen=True)
class FinishedSearch:
    """What a run folder holds of its search.

    Attributes:
        best: the evolved winner's file.
        rival: tree, calibration and fitness of random search's best; None where the run had none.
    """

    folder: Path
    config: Mapping[str, Any]
    best: Path
    rival: tuple[str, tuple[float, ...], float | None] | None
    evolved_fitness: float | None
    trained: Mapping[str, int]
    hours: float
    hardware: str

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The search in a run folder.

        Raises:
            StoreError: there is no run, it is not finished, or it found nothing.
        """
        with RunStore.read(folder) as store:
            final, summary, config = store.result("final"), store.result("summary"), store.config
            if final is None or summary is None:
                raise StoreError(f"the run in {folder} is not finished; go on with it by --resume {folder}")
            rows: list[dict[str, Any]] = final["rows"]
            rival = next((row for row in rows if row["kind"] == "random"), None)
            evolved = next((row for row in rows if row["name"] == "evolved 1"), None)
            trained = {
                arm: sum(1 for _, e in store.evaluations(arm) if e.status == "ok") for arm in ("evolve", "random")
            }
        best = folder / "best.json"
        if not best.is_file():
            raise StoreError(f"the run in {folder} has no best.json: all of its candidates failed; begin another run")
        return cls(
            folder=folder,
            config=config,
            best=best,
            rival=None if rival is None else (rival["tree"], tuple(rival["calibration"] or ()), rival["fitness"]),
            evolved_fitness=None if evolved is None else evolved["fitness"],
            trained=trained,
            hours=summary["seconds"] / 3600,
            hardware=summary["hardware"],
        )

    def save_rival(self, path: Path) -> Path | None:
        """Random search's best as a distiller file; None where there is none."""
        if self.rival is None:
            return None
        tree, calibration, fitness = self.rival
        return save(Distiller(tree, calibration=calibration or None), path, fitness=fitness)


def method_rows(comparison: Comparison) -> list[Row]:
    """One row per method, by falling mean; its single trainings stay in the file."""
    baseline = comparison.facts.baseline
    return [
        {
            "part": "methods",
            "distiller": NAMES.get(row.label, row.label),
            "test %": _percent(row.mean),
            "test % std": _percent(row.std),
            "gain": _percent(row.gain),
            f"p vs {NAMES.get(baseline or '', baseline)}": row.p_value,
            "p (Holm)": row.p_holm,
            "top-5 %": _percent(row.top5_mean),
            "n": row.trained,
            "s": None if row.seconds is None else round(row.seconds),
            "every training": [_percent(value) for value in row.accuracy],
        }
        for row in comparison.rows
    ]


def setting_rows(comparison: Comparison, search: FinishedSearch, images: Sequence[int]) -> list[Row]:
    """What was searched and trained, and what was found.

    Args:
        images: of the training, validation and test split of the comparison.
    """
    recipe: dict[str, Any] = dict(comparison.facts.settings["recipe"])
    views = comparison.facts.settings["augmentation"]["views"]
    budget = search.config["pop"] * (search.config["gens"] + 1)
    formulas = {row.label: row.formula for row in comparison.rows}
    trainings = f"{recipe['epochs']} epochs, batch {recipe['batch_size']}, lr {recipe['lr']:g}, {recipe['schedule']}"
    pairs: list[tuple[str, str]] = [
        ("images: training / validation / test", " / ".join(f"{count:,}" for count in images)),
        ("images that every row is trained on", _trained_on(comparison, images)),
        ("recipe of every row", f"{trainings}, {views} views"),
        ("teacher, test", f"{100 * comparison.facts.teacher_accuracy:.2f} %"),
        ("search", f"{budget} candidates, and as many at random; proxies of {search.config['proxy_epochs']} epochs"),
        ("search, trained with success", f"{search.trained['evolve']} evolved, {search.trained['random']} at random"),
        ("search, evolution began with", ", ".join(search.config.get("seed_methods") or ()) or "random distillers"),
        ("search, images", str(search.config.get("limit") or "all")),
        ("search, last session", f"{search.hours:.2f} h on {search.hardware}"),
        ("evolved", formulas.get("evolved") or "–"),
        ("random search", formulas.get("random") or "–"),
    ]
    return [{"part": "setting", "what": what, "value": value} for what, value in pairs]


def claims(comparison: Comparison, *, published: bool) -> list[Claim]:
    """What the evolved distiller has to show.

    Args:
        published: whether the recipe is the published one, so that published accuracies are marks.
    """
    rows = {row.label: row for row in comparison.rows}
    evolved = rows.get("evolved")
    rivals = [("none", "the student alone"), ("kd", "KD"), ("random", "random search")]
    baseline = comparison.facts.baseline
    if baseline is not None and baseline != "kd":
        rivals.append((baseline, f"the best hand-designed method, {NAMES.get(baseline, baseline)}"))
    found = [
        Claim.at_least(f"evolved over {name}, points of test accuracy", _gap(evolved, rows.get(label)), 0.0, "points")
        for label, name in rivals
        if label in rows
    ]
    if baseline is not None:
        p_value = _p_value(evolved, rows[baseline])
        found.append(Claim.at_most(f"p of evolved against {NAMES.get(baseline, baseline)}, paired", p_value, 0.05, ""))
    if not published:
        return found
    mark = max(MARKS.values()) + BETTER_BY
    found.append(Claim.at_least("evolved, test accuracy", _percent(evolved and evolved.mean), mark, "%"))
    found += [
        Claim.at_least(
            f"{NAMES[name]}, test accuracy, published {mark:g} %", _percent(rows[name].mean), mark - WITHIN, "%"
        )
        for name, mark in MARKS.items()
        if name in rows
    ]
    return found


def _trained_on(comparison: Comparison, images: Sequence[int]) -> str:
    training, validation, _ = images
    if comparison.facts.settings["data"]["trained on"] == "all":
        return f"training and validation, {training + validation:,}"
    return f"training, {training:,}"


def _gap(own: Compared | None, other: Compared | None) -> float | None:
    pairs = both(own.accuracy, other.accuracy) if own is not None and other is not None else []
    return 100 * sum(a - b for a, b in pairs) / len(pairs) if pairs else None


def _p_value(own: Compared | None, other: Compared) -> float | None:
    return paired_test(both(own.accuracy, other.accuracy)) if own is not None else None


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share
