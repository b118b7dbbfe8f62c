"""From trainings to rank correlations, their table and the claims."""

import statistics
from collections.abc import Sequence

from scipy.stats import spearmanr

from benchmarks.harness.result import Claim, Row, Scalar
from benchmarks.proxy_rank.candidates import Trainings
from benchmarks.proxy_rank.fitness import correlations
from benchmarks.proxy_rank.settings import SHARE, Proxy
from kdzero_gp.run.config import make_config

TARGET = 0.7
"""Spearman's correlation that is asked of the default."""


def reliability_row(found: Sequence[Trainings]) -> Row:
    """How well one full training ranks as the mean of the others does: what no proxy of one seed can much exceed."""
    accuracies = [full for full, _ in found]
    ceilings = []
    for place in range(len(accuracies[0])):
        rest = [[a for other, a in enumerate(each) if other != place] for each in accuracies]
        if rest[0]:
            others = [statistics.fmean(each) for each in rest]
            ceilings.append(float(spearmanr([each[place] for each in accuracies], others).statistic))
    ceiling = statistics.fmean(ceilings) if ceilings else None
    return {"part": "ceiling", "Spearman of one full training's test accuracy with the mean of the others": ceiling}


def seed_rows(
    settings: Sequence[Proxy], found: Sequence[Trainings], seeds: Sequence[int], full: int, images: int
) -> list[Row]:
    """One row for each setting, rung and fitness.

    Args:
        found: of every candidate, the student alone first.
        seeds: of the cheap trainings.
        full: steps of the full schedule.
        images: training images where a setting has no number of its own.
    """
    truth = [statistics.fmean(accuracies) for accuracies, _ in found]
    rows: list[Row] = []
    for number, proxy in enumerate(settings):
        for rung, end in enumerate(proxy.ends):
            by_seed = [correlations([parts[number, seed][rung] for _, parts in found], truth) for seed in seeds]
            for fitness in by_seed[0]:
                column = [table[fitness] for table in by_seed]
                rows.append(
                    {
                        "part": "by seed",
                        "proxy": proxy.name,
                        "rung": rung,
                        "schedule": proxy.schedule,
                        "images": proxy.images or images,
                        "warm start": proxy.warm,
                        "student steps": end,
                        "share of the full schedule": round(end / full, 4),
                        "fitness": fitness,
                        "Spearman, mean over seeds": statistics.fmean(column),
                        "Spearman by seed": [round(value, 4) for value in column],
                    }
                )
    return rows


def summary(rows: Sequence[Row]) -> list[Row]:
    """The mean correlations as a table: a row for each fitness, a column for each setting and its cost."""
    table: dict[str, dict[str, Scalar]] = {}
    for row in rows:
        if row["part"] != "by seed":
            continue
        name = str(row["fitness"])
        cells = table.setdefault(name, {"part": "correlations", "fitness": name})
        cells[f"{row['proxy']} @ {row['student steps']}"] = round(float(str(row["Spearman, mean over seeds"])), 2)
    return list(table.values())


def claims(rows: Sequence[Row]) -> list[Claim]:
    """The default's fidelity and cost against their targets, and against Eq. 2 as printed."""
    config = make_config()
    own = [row for row in rows if row.get("proxy") == "default"]

    def fidelity(fitness: str, rung: int) -> float:
        (row,) = [row for row in own if row["fitness"] == f"--fitness {fitness}" and row["rung"] == rung]
        return float(str(row["Spearman, mean over seeds"]))

    first, last = 0, max(int(str(row["rung"])) for row in own)
    share = min(float(str(row["share of the full schedule"])) for row in own)
    default = fidelity(config.fitness, first)
    higher = [Claim.at_least("the same correlation at the last rung", fidelity(config.fitness, last), TARGET, "")]
    return [
        Claim.at_least(
            "Spearman correlation of the default's first rung with final test accuracy", default, TARGET, ""
        ),
        Claim.at_most("share of the full schedule's steps that it takes", share, SHARE, ""),
        *(higher if last > first else ()),
        Claim.at_least(
            "what the default fitness has more than Eq. 2 as printed, first rung",
            default - fidelity("eq2", first),
            0.0,
            "",
        ),
    ]
