"""The benchmark of proxies against the published order: its fitnesses, its files, its table, and a small run."""

import json
import math
import re
from pathlib import Path

import pytest
import torch
import typer
from typer.testing import CliRunner

from benchmarks import published_rank
from benchmarks.published_rank_settings import FULL_STEPS, PROXIES, PUBLISHED, Proxy
from benchmarks.published_rank_table import Outcome, by_fitness, claims, correlation_rows, method_rows
from benchmarks.published_rank_training import Job, Rising, Source, outcome
from benchmarks.result import read_result
from kdzero_gp import Distiller, Knowledge
from kdzero_gp.catalog.methods import METHODS

WORSE = {"accuracy": 0.1, "ce": 3.0, "tempered_ce": 2.9, "sharpness_gap": 1.0, "cka_gap": 0.5}
BETTER = {"accuracy": 0.2, "ce": 2.0, "tempered_ce": 1.9, "sharpness_gap": 5.0, "cka_gap": 0.4}


def agreeing() -> dict[str, dict[str, float]]:
    """Parts that improve with the published accuracy, but for the sharpness gap."""
    order = sorted(PUBLISHED, key=PUBLISHED.__getitem__)
    share = {method: place / len(order) for place, method in enumerate(order)}
    return {m: {name: WORSE[name] + share[m] * (BETTER[name] - WORSE[name]) for name in WORSE} for m in PUBLISHED}


def test_the_published_order_has_the_eleven_methods() -> None:
    assert set(PUBLISHED) == set(METHODS)
    assert list(PUBLISHED.values()) == sorted(PUBLISHED.values())
    assert FULL_STEPS == 240 * 781


def test_a_correlation_is_positive_where_fitness_and_published_accuracy_agree() -> None:
    each, together = by_fitness([agreeing()])
    for name in ("error", "cross-entropy", "tempered cross-entropy", "CKA gap", "--fitness relative"):
        assert each[name] == pytest.approx([1]), name
    assert each["sharpness gap"] == each["--fitness eq2"] == pytest.approx([-1])
    assert together == pytest.approx({name: value for name, (value,) in each.items()})
    assert by_fitness([]) == ({}, {})


def test_several_seeds_speak_together_through_their_mean() -> None:
    good, bad = agreeing(), agreeing()
    bad["none"], bad["fitnet"] = bad["fitnet"], bad["none"]
    bad["none"] = bad["none"] | {"ce": bad["none"]["ce"] + 1e-3}  # so that the mean order is the good one
    each, together = by_fitness([good, bad])
    assert each["cross-entropy"][0] == together["cross-entropy"] == pytest.approx(1)
    assert each["cross-entropy"][1] < 1


def test_a_diverged_training_ranks_last() -> None:
    each, _ = by_fitness([agreeing() | {"none": WORSE, "fitnet": None}])
    swapped = [1, 0, *range(2, len(PUBLISHED))]  # fitnet behind the student alone, which was behind it
    expected = 1 - 6 * sum((a - b) ** 2 for a, b in enumerate(swapped)) / (len(swapped) * (len(swapped) ** 2 - 1))
    assert each["cross-entropy"] == pytest.approx([expected])


def test_a_rising_distiller_reaches_its_weight_after_its_rise() -> None:
    student, teacher = (
        Knowledge(logits=torch.randn(4, 3, generator=torch.Generator().manual_seed(n))) for n in range(2)
    )
    plain = Distiller("weight(1, kl(logits, 4))")(student, teacher)
    rising = Rising("weight(1, kl(logits, 4))")
    rising.rise = 4
    shares = [float(rising(student, teacher) / plain) for _ in range(6)]
    assert shares == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1])
    assert float(Rising("weight(1, kl(logits, 4))")(student, teacher) / plain) == pytest.approx(1)


def test_settings_have_their_own_names_and_fit_the_schedule() -> None:
    assert len({proxy.name for proxy in PROXIES}) == len(PROXIES)
    assert PROXIES[0].steps(6) == 6 * (5_000 // 64)
    recipe = PROXIES[0].recipe(0.1)
    assert (recipe.ce_weight, recipe.clip, recipe.nesterov, recipe.weight_decay) == (0.1, math.inf, False, 5e-4)
    with pytest.raises(ValueError, match=r"the last of stops is 7, but the schedule has 6 epochs"):
        Proxy("late", 100, 6, (2, 7))
    with pytest.raises(ValueError, match="ascending"):
        Proxy("twice", 100, 6, (2, 2))


def test_settings_are_chosen_by_name() -> None:
    assert published_rank.chosen("all") == list(PROXIES)
    assert published_rank.chosen("") == []
    names = [PROXIES[2].name, PROXIES[0].name]
    assert [proxy.name for proxy in published_rank.chosen(", ".join([*names, names[0]]))] == names
    with pytest.raises(typer.BadParameter, match="no setting cold-6k; known are all, cold-5k-6"):
        published_rank.chosen("cold-6k")


def test_the_table_has_every_setting_and_says_which_were_not_measured() -> None:
    measured, missing = PROXIES[0], PROXIES[1]
    found = {(measured.name, 6): {0: Outcome(agreeing(), ("cpu",)), 1: Outcome(agreeing(), ("cuda",))}}
    rows = correlation_rows([measured, missing], found)
    table = [row for row in rows if row["part"] == "correlations"]
    settings = [row for row in rows if row["part"] == "settings"]
    assert [(row["setting"], row["epochs"]) for row in table] == [("cold-5k-6", "6 of 6")]
    assert [(row["setting"], row["epochs"]) for row in settings] == [
        ("cold-5k-6", "2 of 6"),
        ("cold-5k-6", "6 of 6"),
        ("prefix-5k-6", "2 of 60"),
        ("prefix-5k-6", "6 of 60"),
    ]
    assert [row["seeds"] for row in settings] == [0, 2, 0, 0]
    assert [row["device"] for row in settings] == ["not measured", "cpu, cuda", "not measured", "not measured"]
    assert [row["cross-entropy"] for row in table] == [1.0]
    assert settings[1]["student steps"] == 468
    assert table[0]["share of the full schedule %"] == pytest.approx(100 * 468 / FULL_STEPS)
    assert {row["setting"] for row in rows if row["part"] == "by seed"} == {measured.name}
    assert [row["published %"] for row in method_rows([measured, missing], found)] == list(PUBLISHED.values())
    default, best = claims(rows)
    assert (default.measured, default.holds) == (1.0, True)
    assert "cold-5k-6, epoch 6 of 6" in best.what
    assert [claim.measured for claim in claims(correlation_rows([missing], {}))] == [None, None]


def run_quick(folder: Path, out: Path) -> str:
    done = CliRunner().invoke(published_rank.app, ["--quick", "--keep", str(folder), "--out", str(out)])
    assert done.exit_code == 0, done.output
    return done.output


def test_a_small_run_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDZERO_GP_CACHE", str(tmp_path / "cache"))
    keep, out = tmp_path / "keep", tmp_path / "published_rank.json"
    run_quick(keep, out)
    rows = read_result(out).part("correlations")
    assert [row["device"] for row in read_result(out).part("settings")] == ["cpu"] * 3 + ["not measured"] * len(
        PROXIES[-1].stops
    )
    assert all(-1 <= float(str(row["cross-entropy"])) <= 1 for row in rows[:3])
    assert len(read_result(out).part("methods")) == 3 * len(PUBLISHED)
    lost = keep / "quick" / "dkd-0.json"
    before = json.loads(lost.read_text())
    lost.unlink()
    report = run_quick(keep, out)
    assert re.findall(r"\d+/\d+ \S+ \S+ seed \d", report) == ["1/1 quick dkd seed 0"]
    assert json.loads(lost.read_text())["stops"] == before["stops"]
    other = Job(Proxy("quick", 64, 4, (1, 2)), "dkd", 0)
    source = Source(published_rank.small_data(tmp_path / "small.npz"), None, "cnn4", "cnn2")
    with pytest.raises(ValueError, match=r"dkd-0.json: setting is .* give another --keep folder"):
        outcome(other, source, keep)


def test_data_and_weights_are_asked_for() -> None:
    done = CliRunner().invoke(published_rank.app, ["--settings", "all"])
    assert done.exit_code == 2
    assert "--data and --weights are needed" in re.sub(r"\W*\n\W*", " ", done.output)
