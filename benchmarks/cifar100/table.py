"""From finished searches and a comparison to the table and the claims of the benchmark."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.cifar100.searches import ARMS, Searches
from benchmarks.cifar100.settings import BETTER_BY, MARKS, WITHIN
from benchmarks.harness.result import Claim, Row
from kdzero_gp.compare.comparison import Comparison
from kdzero_gp.compare.statistics import Row as Compared
from kdzero_gp.compare.statistics import both, mean_of
from kdzero_gp.evolve.final import paired_test

NAMES = {
    "none": "student alone",
    "kd": "KD",
    "at": "AT",
    "sp": "SP",
    "dist": "DIST",
    "dkd": "DKD",
    **ARMS,
}
"""Label in the comparison -> row of the table."""


def method_rows(comparison: Comparison, searches: Searches) -> list[Row]:
    """One row per method, by falling mean; its single trainings stay in the file."""
    baseline = comparison.facts.baseline
    names = NAMES | dict(searches.names())
    return [
        {
            "part": "methods",
            "distiller": names.get(row.label, row.label),
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


def setting_rows(comparison: Comparison, searches: Searches, images: Sequence[int]) -> list[Row]:
    """What was searched and trained, and what was found.

    Args:
        images: of the training, validation and test split of the comparison.
    """
    recipe: dict[str, Any] = dict(comparison.facts.settings["recipe"])
    views = comparison.facts.settings["augmentation"]["views"]
    config = searches.runs[0].config
    budget = config["pop"] * (config["gens"] + 1)
    formulas = {row.label: row.formula for row in comparison.rows}
    trainings = f"{recipe['epochs']} epochs, batch {recipe['batch_size']}, lr {recipe['lr']:g}, {recipe['schedule']}"
    pairs: list[tuple[str, str]] = [
        ("images: training / validation / test", " / ".join(f"{count:,}" for count in images)),
        ("images that every row is trained on", _trained_on(comparison, images)),
        ("recipe of every row", f"{trainings}, {views} views"),
        ("teacher, test", f"{100 * comparison.facts.teacher_accuracy:.2f} %"),
        ("search", f"{budget} candidates, and as many at random; proxies of {config['proxy_epochs']} epochs"),
        ("search, evolution began with", ", ".join(config.get("seed_methods") or ()) or "random distillers"),
        ("search, images", str(config.get("limit") or "all")),
    ]
    for run, suffix in zip(searches.runs, searches.suffixes, strict=True):
        trained = f"{run.trained['evolve']} evolved, {run.trained['random']} at random"
        pairs.append((f"search, trained with success{suffix}", trained))
        pairs.append((f"search, last session{suffix}", f"{run.hours:.2f} h on {run.hardware}"))
    pairs += [(name, formulas.get(label) or "–") for label, name in searches.names()]
    return [{"part": "setting", "what": what, "value": value} for what, value in pairs]


def claims(comparison: Comparison, searches: Searches, *, published: bool) -> list[Claim]:
    """What the evolved distiller has to show: over the trainings of one search, or over the means of several searches.

    Args:
        published: whether the recipe is the published one, so that published accuracies are marks.
    """
    rows = {row.label: row for row in comparison.rows}
    several = len(searches.runs) > 1
    evolved = _reached(rows, searches.labels("evolved"))
    rivals = [("none", "the student alone"), ("kd", "KD"), ("random", "random search")]
    baseline = comparison.facts.baseline
    if baseline is not None and baseline != "kd":
        rivals.append((baseline, f"the best hand-designed method, {NAMES.get(baseline, baseline)}"))
    found, unit = [], f"points of test accuracy{', mean over run seeds' if several else ''}"
    for label, name in rivals:
        if label in rows:
            labels = searches.labels(label) if label in ARMS else [label] * len(searches.runs)
            gap = mean_of([a - b for a, b in both(evolved, _reached(rows, labels))])
            found.append(Claim.at_least(f"evolved over {name}, {unit}", _percent(gap), 0.0, "points"))
    if baseline is not None:
        p_value = paired_test(both(evolved, _reached(rows, [baseline] * len(searches.runs))))
        how = "over run seeds" if several else "paired"
        found.append(Claim.at_most(f"p of evolved against {NAMES.get(baseline, baseline)}, {how}", p_value, 0.05, ""))
    if not published:
        return found
    mark = max(MARKS.values()) + BETTER_BY
    found.append(Claim.at_least("evolved, test accuracy", _percent(mean_of(evolved)), mark, "%"))
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


def _reached(rows: Mapping[str, Compared], labels: Sequence[str]) -> Sequence[float | None]:
    """Test accuracies: of every training under one label, or one mean for each of several labels."""
    if len(labels) == 1:
        return rows[labels[0]].accuracy
    return [rows[label].mean if label in rows else None for label in labels]


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share
