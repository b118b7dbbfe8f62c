"""The outcomes of the published methods' proxy trainings as rows and claims."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scipy.stats import spearmanr

from benchmarks.harness.result import Claim, Row
from benchmarks.proxy_rank.fitness import BY_RANK, ONE_BY_ONE, Parts, correlations, values
from benchmarks.published_rank.settings import ALONE, FULL_STEPS, PUBLISHED, Proxy
from kdzero_gp.run.config import make_config

Run = Mapping[str, Parts | None]
"""One seed's parts by method, None for a training that diverged."""


@dataclass(frozen=True)
class Outcome:
    """One seed's trainings under one proxy up to one stop, and the kinds of device that did them."""

    run: Run
    devices: tuple[str, ...]


Outcomes = Mapping[tuple[str, int], Mapping[int, Outcome]]
"""By proxy's name and stop, by seed."""
TARGET, CHEAP = 0.7, 15.0
"""Least correlation wanted, at no more than this share of the published schedule's steps, in percent."""
DEFAULT = f"--fitness {make_config().fitness}"
FITNESSES = (*ONE_BY_ONE, *BY_RANK)


def correlation_rows(proxies: Iterable[Proxy], found: Outcomes) -> list[dict[str, Any]]:
    """What each proxy is, how each fitness of it correlates with the published order, and the same by seed."""
    settings: list[dict[str, Any]] = []
    table: list[dict[str, Any]] = []
    by_seed: list[dict[str, Any]] = []
    for proxy in proxies:
        for stop in proxy.stops:
            outcomes = list(found.get((proxy.name, stop), {}).values())
            runs = [outcome.run for outcome in outcomes]
            devices = sorted({device for outcome in outcomes for device in outcome.devices})
            settings.append(setting_row(proxy, stop, len(runs), ", ".join(devices) or "not measured"))
            row = {name: settings[-1][name] for name in ("setting", "epochs", "share of the full schedule %", "seeds")}
            row = {"part": "correlations"} | row
            if not runs:
                continue  # the settings say that it was not measured
            each, together = by_fitness([run for run in runs if run[ALONE] is not None])
            row |= {name: round(statistics.fmean(each[name]), 2) if each else None for name in FITNESSES}
            by_seed += [
                {
                    "part": "by seed",
                    "setting": proxy.name,
                    "epoch": stop,
                    "fitness": name,
                    "Spearman, mean over seeds": statistics.fmean(each[name]),
                    "Spearman of the mean over seeds": together[name],
                    "Spearman by seed": [round(c, 4) for c in each[name]],
                }
                for name in each
            ]
            table.append(row)
    return [*settings, *table, *by_seed]


def by_fitness(runs: Sequence[Run]) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Spearman's correlation with the published order by fitness: of each run, and of the mean over the runs."""
    if not runs:
        return {}, {}
    truth = list(PUBLISHED.values())
    ordered = [[run[method] for method in PUBLISHED] for run in runs]
    single = [correlations(run, truth) for run in ordered]
    tables = [values(run) for run in ordered]
    together = {}
    for name in FITNESSES:
        means = [statistics.fmean(cells) for cells in zip(*(table[name] for table in tables), strict=True)]
        together[name] = -float(spearmanr(means, truth).statistic) if len(set(means)) > 1 else 0.0
    return {name: [own[name] for own in single] for name in FITNESSES}, together


def setting_row(proxy: Proxy, stop: int, seeds: int, device: str) -> dict[str, Any]:
    """What a reader must know of a proxy, what it costs, and whether it was measured."""
    return {
        "part": "settings",
        "setting": proxy.name,
        "start": proxy.start,
        "images": proxy.images,
        "views": proxy.views,
        "epochs": f"{stop} of {proxy.schedule}",
        "student steps": proxy.steps(stop),
        "share of the full schedule %": 100 * proxy.steps(stop) / FULL_STEPS,
        "seeds": seeds,
        "device": device,
    }


def method_rows(proxies: Iterable[Proxy], found: Outcomes) -> list[Row]:
    """What each method reached under each proxy, beside its published accuracy; means over the seeds."""
    rows: list[Row] = []
    for proxy in proxies:
        for stop in proxy.stops:
            runs = [outcome.run for outcome in found.get((proxy.name, stop), {}).values()]
            for method in PUBLISHED if runs else ():
                ends = [parts for run in runs if (parts := run[method]) is not None]
                names = sorted({name for end in ends for name in end})
                means: dict[str, float] = {name: statistics.fmean(end[name] for end in ends) for name in names}
                accuracy = means.pop("accuracy", None)
                rows.append(
                    {
                        "part": "methods",
                        "setting": proxy.name,
                        "epoch": stop,
                        "method": method,
                        "published %": PUBLISHED[method],
                        "proxy %": None if accuracy is None else 100 * accuracy,
                        **{name.replace("_", " "): value for name, value in means.items()},
                        "diverged": len(runs) - len(ends),
                    }
                )
    return rows


def claims(rows: Sequence[Mapping[str, Any]]) -> list[Claim]:
    """The best that the default fitness, and any fitness, reaches within the cost."""
    measured = [
        row
        for row in rows
        if row["part"] == "correlations" and row[DEFAULT] is not None and row["share of the full schedule %"] <= CHEAP
    ]
    default = max((row[DEFAULT] for row in measured), default=None)
    best = max(
        (
            (row[name], name, row["setting"], row["epochs"])
            for row in measured
            for name in FITNESSES
            if row[name] is not None
        ),
        default=None,
    )
    what = f"best Spearman correlation with the published order at no more than {CHEAP:g} % of its steps"
    where = "" if best is None else f" ({best[1]}; {best[2]}, epoch {best[3]})"
    return [
        Claim.at_least(f"{what}, {DEFAULT}", default, TARGET, ""),
        Claim.at_least(f"{what}, any fitness{where}", None if best is None else best[0], TARGET, ""),
    ]
