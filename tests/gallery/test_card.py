"""Cards: what is drawn, and what is said where nothing can be."""

import json
from collections.abc import Callable
from pathlib import Path

from kdzero_gp.drawing.reading import Reading
from kdzero_gp.export.distiller_file import load
from kdzero_gp.gallery.card import make_card
from kdzero_gp.grammar.registry import Registry
from kdzero_gp.store import RunStore
from tests.gallery.sample_run import EXAMPLE, HOSTILE

Recorder = Callable[..., None]
SHAPES = ({"stage2": (2, 4, 4, 4), "logits": (2, 10)}, {"stage2": (2, 16, 4, 4), "logits": (2, 10)})


def test_drawing_shows_aligner_calibration_and_readings(store: RunStore, record: Recorder, stand_ins: Registry) -> None:
    record(0, EXAMPLE, 1.0, calibration=(0.5, 0.25))
    readings = {"logits": Reading(1.5, 0.25, "live"), "catt(stage2)": Reading(0.75, 0.0, "dead")}
    (recorded,) = store.evaluations()
    card = make_card(recorded, shapes=SHAPES, registry=stand_ins, readings=readings)
    assert card.aligned == ("stage2",)
    assert card.drawing is not None
    for words in ("learned aligner", "calibration × 0.5", "|x| 1.5, |∇| 0.25", "dead", "muted"):
        assert words in card.drawing
    assert card.drawing.count("muted") == 1


def test_the_copied_file_is_a_best_json(store: RunStore, record: Recorder, tmp_path: Path) -> None:
    record(0, "weight(2, kl(logits, 4))", 1.0, calibration=(0.123456789012345678,), seed=7)
    (recorded,) = store.evaluations()
    card = make_card(recorded, pair=("t", "s"), python=True)
    path = tmp_path / "copied.json"
    path.write_text(card.file or "", encoding="utf-8")
    distiller = load(path)
    assert distiller.calibration.tolist() == [0.123456789012345678]
    assert (str(distiller.tree), distiller.seed) == ("weight(2, kl(logits, 4))", 7)
    assert json.loads(card.file or "")["teacher"] == "t"
    assert "class Distiller" in (card.python or "")


def test_text_that_cannot_be_read_becomes_a_reason(store: RunStore, record: Recorder) -> None:
    record(0, HOSTILE, 1.0)
    (recorded,) = store.evaluations()
    card = make_card(recorded)
    assert card.drawing is None
    assert card.problem
    assert set(card.data()) == {"problem"}


def test_a_calibration_that_fits_no_term_still_gives_a_drawing(store: RunStore, record: Recorder) -> None:
    record(0, "weight(2, kl(logits, 4))", 1.0, calibration=(1.0, 2.0))
    (recorded,) = store.evaluations()
    card = make_card(recorded)
    assert card.drawing
    assert "calibration" in (card.problem or "")
    assert card.file is None
