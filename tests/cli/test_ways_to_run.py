"""The options that change how candidates are trained and where: each makes a whole run, and says what it cannot do."""

import json
from pathlib import Path
from typing import Any

import pytest

from kdzero_gp.store import RunStore


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


def short(tiny: Any) -> tuple[str, ...]:
    return (*tiny, "--no-baselines", "--leader-seeds", "0")


def test_a_steady_run_ends_and_repeats_itself(invoke: Any, tiny: Any, tmp_path: Path) -> None:
    for name in ("one", "two"):
        outcome = invoke(*short(tiny), "--mode", "steady", "--run-dir", tmp_path / name)
        assert (outcome.code, outcome.err) == (0, "")
    assert records(tmp_path / "one") == records(tmp_path / "two")
    trained = [r for r in records(tmp_path / "one") if r["rung"] == 0 and r["status"] == "ok"]
    assert len(trained) == 6
    with RunStore.read(tmp_path / "one") as store:
        assert len(store.trace("evolve")) > 6


def test_students_trained_together_or_apart_give_the_same_search(invoke: Any, tiny: Any, tmp_path: Path) -> None:
    for fuse in ("1", "3:grouped", "2:vmap"):
        options = ("--gens", "0", "--fuse", fuse, "--run-dir", tmp_path / fuse)
        assert invoke(*short(tiny), *options).code == 0
    apart, grouped, mapped = (records(tmp_path / fuse) for fuse in ("1", "3:grouped", "2:vmap"))
    first = [r for r in apart if r["rung"] == 0]
    for records_together in (grouped, mapped):
        together = [r for r in records_together if r["rung"] == 0]
        assert [(r["tree"], r["status"]) for r in together] == [(r["tree"], r["status"]) for r in first]
        for mine, theirs in zip(together, first, strict=True):
            assert (mine["fitness"] is None) == (theirs["fitness"] is None) == (mine["status"] != "ok")
            assert mine["fitness"] is None or mine["fitness"] == pytest.approx(theirs["fitness"], rel=1e-2)


def test_what_auto_has_measured_is_kept_with_the_run(
    invoke: Any, tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kdzero_gp.loops.fused.choice import FuseChoice

    monkeypatch.setattr("kdzero_gp.run.fusing.choose_fuse", lambda task: FuseChoice(2, "measured", "grouped"))
    assert invoke(*short(tiny), "--gens", "0", "--fuse", "auto", "--run-dir", tmp_path / "run").code == 0
    with RunStore.read(tmp_path / "run") as store:
        assert store.result("fuse") == {"fuse": "2:grouped", "reason": "measured"}


def test_augmented_and_with_the_teacher_in_every_step(invoke: Any, tiny: Any, tmp_path: Path) -> None:
    """Kept or computed anew, the teacher says the same of the same view."""
    augmented = ("--augment", "crop-flip", "--views", "2", "--gens", "0", "--fuse", "1")
    for gigabytes in ("1", "0"):
        options = (*augmented, "--cache-gb", gigabytes, "--run-dir", tmp_path / gigabytes)
        assert invoke(*short(tiny), *options).code == 0
    assert invoke(*short(tiny), "--gens", "0", "--fuse", "1", "--run-dir", tmp_path / "plain").code == 0
    # who goes on may hang by a hair, so the first rung alone is compared
    kept, online, plain = (
        [r for r in records(tmp_path / name) if r["rung"] == 0 and r["status"] == "ok"] for name in ("1", "0", "plain")
    )
    assert [r["tree"] for r in kept] == [r["tree"] for r in online] == [r["tree"] for r in plain]
    for mine, theirs in zip(kept, online, strict=True):
        assert mine["fitness"] == pytest.approx(theirs["fitness"], rel=1e-2)
    assert [r["fitness"] for r in kept] != [r["fitness"] for r in plain]


@pytest.mark.parametrize("fuse", ["1", "3"])
def test_in_bfloat16_other_numbers_come_out(invoke: Any, tiny: Any, tmp_path: Path, fuse: str) -> None:
    for name, option in (("half", "--amp"), ("full", "--no-amp")):
        outcome = invoke(*short(tiny), "--gens", "0", "--fuse", fuse, option, "--run-dir", tmp_path / name)
        assert (outcome.code, outcome.err) == (0, "")
    half, full = ([r for r in records(tmp_path / name) if r["status"] == "ok"] for name in ("half", "full"))
    assert len(half) >= 3
    assert [r["fitness"] for r in half] != [r["fitness"] for r in full]


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("--fuse", "0"), ("--fuse is '0'", "auto", "8:grouped")),
        (("--fuse", "4:sideways"), ("--fuse is '4:sideways'", "8:vmap")),
        (("--rungs", "9"), ("--rungs 9 with --eta 3", "fewer rungs", "--proxy-epochs")),
        (("--eta", "1"), ("--eta is 1",)),
        (("--ray-address", "auto"), ("--ray-address auto", "--executor is auto", "--executor ray")),
        (("--executor", "inprocess", "--workers", "2"), ("--executor inprocess", "--workers is 2")),
        (("--executor", "cluster"), ("--executor is 'cluster'",)),
        (("--mode", "idle"), ("--mode is 'idle'",)),
        (("--cache-gb", "-1"), ("--cache-gb is -1",)),
        (("--augment", "mixup"), ("--augment is 'mixup'",)),
        (("--views", "0"), ("--views is 0",)),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_written(
    invoke: Any, tiny: Any, tmp_path: Path, options: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    outcome = invoke(*tiny, *options, "--run-dir", tmp_path / "run")
    assert (outcome.code, outcome.out) == (2, "")
    for part in parts:
        assert part in outcome.err
    assert not (tmp_path / "run").exists()
