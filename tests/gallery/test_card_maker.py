"""Cards of a whole run: every distiller has one, measured where there is a probe and it makes sense."""

from collections.abc import Callable, Mapping

import pytest

from kdzero_gp.drawing.reading import Reading
from kdzero_gp.errors import TapError
from kdzero_gp.gallery.card import Card
from kdzero_gp.gallery.card_maker import CardMaker, Wanted
from kdzero_gp.gallery.run_view import read_run
from kdzero_gp.grammar.registry import Registry, active_registry
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.store import Evaluation, RunStore
from tests.gallery.sample_run import HOSTILE

Recorder = Callable[..., None]
TREE = "weight(1, l1(pool))"


def probe(tree: Tree, evaluation: Evaluation) -> Mapping[str, Reading]:
    if "logits" in str(tree):
        raise TapError("no logits here")
    if "tanh" in str(tree):
        raise ZeroDivisionError("odd")
    return {"pool": Reading(float(evaluation.seed), 0.5, "dead")}


def cards(store: RunStore, maker: CardMaker) -> list[Card]:
    run = read_run(store)
    wanted = [Wanted(recorded, python=True) for recorded in run.evaluations]
    made = list(maker.many(run, wanted))
    assert made == [maker.one(run, each) for each in wanted]
    return made


def test_with_a_probe_each_says_what_its_nodes_do_or_why_not(
    store: RunStore, record: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    record(0, TREE, 1.0, seed=7, calibration=(2.0,))
    record(1, TREE.replace("1,", "2,"), status="rejected", stage="no_progress", seed=8)
    record(2, TREE.replace("1,", "3,"), status="rejected", stage="too_expensive")
    record(3, TREE.replace("1,", "4,"), status="oom", error="out of memory")
    record(4, "weight(1, l1(logits))", 1.0)
    record(5, "weight(1, l1(tanh(pool)))", 1.0)
    store.put_result("readings", {"weight(1, l1(logits))": {"logits": [3.0, 0.25, "live"]}})
    record(6, "weight(2, l1(logits))", 1.0)
    made = cards(store, CardMaker(active_registry(), probe))
    assert all(card.drawing and card.file and card.python for card in made)
    assert [card.readings for card in made] == [True, True, False, False, True, False, False]
    drawings = [card.drawing or "" for card in made]
    assert "|x| 7, |∇| 0.5" in drawings[0]
    assert "muted" in drawings[0]
    assert "|x| 8" in drawings[1]
    assert "|x| 3, |∇| 0.25" in drawings[4]  # as the run kept it
    reasons = [card.unread or "" for card in made]
    for place, words in {2: "too much computation", 3: "ended with oom", 5: "ZeroDivisionError: odd"}.items():
        assert words in reasons[place]
    assert "no logits here" in reasons[6]
    assert "cannot be measured" in caplog.text


def test_without_a_probe_nothing_is_said(store: RunStore, record: Recorder) -> None:
    record(0, TREE, 1.0)
    (card,) = cards(store, CardMaker(active_registry()))
    assert (card.readings, card.unread) == (False, None)


def test_hostile_texts_are_not_measured(store: RunStore, record: Recorder) -> None:
    record(0, HOSTILE, 1.0)

    def never(tree: Tree, evaluation: Evaluation) -> Mapping[str, Reading]:
        raise AssertionError("called")

    (card,) = cards(store, CardMaker(Registry(), never))
    assert card.drawing is None
    assert card.problem


def test_progress_is_told(store: RunStore, record: Recorder) -> None:
    for number in range(3):
        record(number, f"weight({number + 1}, l1(pool))", 1.0)
    run = read_run(store)
    told: list[tuple[str, int, int]] = []
    maker = CardMaker(active_registry(), probe)
    list(maker.many(run, [Wanted(r, python=False) for r in run.evaluations], lambda *news: told.append(news)))
    assert told == [(f"distillers {what}", done, 3) for what in ("measured", "drawn") for done in (1, 2, 3)]
