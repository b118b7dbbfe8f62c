"""The probe of a run's folder: what it measures is what the run's own pair gives, and it trusts no folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from kdzero_gp.browse.__main__ import app
from kdzero_gp.browse.probe import run_probe
from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.distiller.readings import read_nodes
from kdzero_gp.drawing.reading import Reading
from kdzero_gp.errors import EXIT_CODE, ConfigError
from kdzero_gp.grammar.parse import parse
from kdzero_gp.pair.assemble import make_task
from kdzero_gp.run.config import make_config
from kdzero_gp.run.run import FINGERPRINT, search
from kdzero_gp.store import RunStore
from kdzero_gp.untrusted import rounded
from tests.gallery.page_cards import cards_of, page_data

SMALL = {"teacher": "cnn4", "limit": 128, "pop": 4, "gens": 1, "proxy_epochs": 1, "epochs": 1, "batch_size": 32}
SHORT = {"final_seeds": 1, "finalists": 1, "leaders": 1, "leader_seeds": 0, "workers": 1, "seed": 1}
OPTIONS: dict[str, Any] = SMALL | SHORT


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, teacher_cache: str) -> Path:
    """A small run on the digits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDZERO_GP_CACHE", teacher_cache)
        return search(run_dir=tmp_path_factory.mktemp("runs") / "run", **OPTIONS).folder


@pytest.fixture(autouse=True)
def _surroundings(teacher_cache: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("KDZERO_GP_CACHE", teacher_cache)
    before = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    yield
    torch.set_num_threads(before[0])
    torch.set_deterministic_debug_mode(before[1])


@pytest.fixture
def changed(run: Path, tmp_path: Path) -> Callable[..., Path]:
    """A run folder with the same evaluations and results whose configuration or results differ."""

    def make(results: dict[str, Any] | None = None, **config: Any) -> Path:
        with RunStore.read(run) as old, RunStore.create(tmp_path / "changed", old.config | config) as new:
            for both in old.evaluations():
                new.record(*both)
            for name in ("summary", "readings"):
                new.put_result(name, (results or {}).get(name, old.result(name)))
        return tmp_path / "changed"

    return make


def expected_readings(text: str, calibration: tuple[float, ...], seed: int) -> dict[str, Reading]:
    """`read_nodes` by hand: the first 64 training images, the student of seed 0, the cached teacher."""
    task = make_task(make_config(**OPTIONS))
    images, labels = task.first_images("train", 64), task.targets("train")[:64]
    with task.reader(task.student(0).train(), task.student_taps) as reader:
        student = reader(images)
    distiller = Distiller(parse(text), calibration=calibration or None, seed=seed)
    return read_nodes(distiller, student, task.teacher_probe(task.teacher_taps, 64), labels)


def test_every_distiller_shows_what_read_nodes_gives(run: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, [str(run), "--probe", "--no-open", "--out", str(tmp_path)])
    assert (done.exit_code, done.output) == (0, f"gallery: {tmp_path / 'index.html'}\n")
    cards = cards_of(page_data(tmp_path / "index.html")["runs"][0])
    with RunStore.read(run) as store:
        recorded = list(store.evaluations())
        kept = set(store.result("readings"))
    others = [(p, e) for p, e in recorded if e.status == "ok" and p.canonical not in kept]
    assert len(others) >= 2
    for proposal, _ in recorded:
        card = cards[f"{proposal.arm}/{proposal.number}"]
        assert card["drawing"]
        assert card.get("readings") or card["unread"]
    for proposal, evaluation in others[:3]:
        card = cards[f"{proposal.arm}/{proposal.number}"]
        readings = expected_readings(proposal.tree, evaluation.calibration, evaluation.seed)
        assert readings
        for reading in readings.values():
            assert f"|x| {rounded(reading.value)}, |∇| {rounded(reading.gradient)}" in card["drawing"]
        assert card["drawing"].count("muted") == sum(reading.state != "live" for reading in readings.values())


def test_networks_that_a_folder_names_are_not_imported(
    changed: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "evil_network.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    folder = changed(student="evil_network:make")
    done = CliRunner().invoke(app, [str(folder), "--probe", "--no-open"])
    assert done.exit_code == EXIT_CODE
    assert "student of somebody's own, evil_network:make" in done.output
    assert "add --student evil_network:make" in done.output
    assert "Without --probe" in done.output
    assert not (folder / "gallery").exists()
    with RunStore.read(folder) as store, pytest.raises(ConfigError, match="somebody's own"):
        run_probe(store, student="evil_network:other")
    assert CliRunner().invoke(app, [str(folder), "--no-open"]).exit_code == 0
    with RunStore.read(folder) as store, pytest.raises(SystemExit, match="imported"):
        run_probe(store, student="evil_network:make")


def test_primitives_that_a_folder_names_must_be_named_too(changed: Callable[..., Path], tmp_path: Path) -> None:
    trap = tmp_path / "trap.py"
    trap.write_text("raise SystemExit('loaded')")
    with RunStore.read(changed(primitives=[str(trap)])) as store:
        with pytest.raises(ConfigError, match=r"primitives of somebody's own, .*add --primitives .*trap.py"):
            run_probe(store)
        assert run_probe(store, primitives=[Path("moved/trap.py")])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({FINGERPRINT: "0123456789abcdef"}, r"fingerprint .*0123456789abcdef.*--data"),
        ({"data": "npz:/nowhere/at_all.npz"}, "at_all.npz"),
        ({"teacher_weights": "/nowhere/teacher.pt"}, "teacher.pt"),
        ({"teacher": "cnn5"}, "other taps"),
        ({"teacher": 3}, "teacher"),
        ({"nonsense": 3}, "nonsense"),
        ({"primitives": 3}, "primitives"),
    ],
)
def test_what_is_missing_or_other_is_named(changed: Callable[..., Path], changes: dict[str, Any], words: str) -> None:
    with RunStore.read(changed(**changes)) as store, pytest.raises(ConfigError, match=words) as caught:
        run_probe(store)
    assert "Without --probe the gallery shows" in str(caught.value)


def test_readings_that_the_run_found_otherwise_betray_another_teacher(changed: Callable[..., Path], run: Path) -> None:
    with RunStore.read(run) as store:
        kept = store.result("readings")
    doubled = {text: {n: [2 * v, g, s] for n, (v, g, s) in nodes.items()} for text, nodes in kept.items()}
    other = pytest.raises(ConfigError, match=r"come out otherwise.*--teacher-weights")
    with RunStore.read(changed({"readings": doubled})) as store, other:
        run_probe(store)


@pytest.mark.parametrize("value", [None, 3, [], {"x": 3}, {"weight(1, l1(logits))": {"logits": ["nan", None]}}])
def test_results_of_another_form_are_no_obstacle(changed: Callable[..., Path], value: Any) -> None:
    with RunStore.read(changed({"readings": value, "summary": value})) as store:
        assert run_probe(store)


def test_what_was_chosen_stands_in_place_of_what_is_stored(changed: Callable[..., Path]) -> None:
    with RunStore.read(changed(data="npz:/gone.npz", teacher_weights=None)) as store:
        assert run_probe(store, data="digits", threads=1, device="cpu")
