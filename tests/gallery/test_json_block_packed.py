"""Packed cards come out as they went in, whatever their names, and always as the same bytes."""

import pytest

from kdzero_gp.gallery import json_block as module
from kdzero_gp.gallery.json_block import packed
from tests.gallery.page_cards import cards_of
from tests.gallery.sample_run import HOSTILE


@pytest.mark.parametrize("chunk", [1, 3, 64])
def test_nothing_is_lost_or_mixed_up(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", chunk)
    cards: dict[str, dict[str, object]] = {
        "evolve/0": {"drawing": "<svg/>", "file": "{}", "aligned": ["stage1"]},
        "evolve/1": {"problem": HOSTILE},
        f"{HOSTILE}/0": {"drawing": "\u2028\x85", "readings": True},
        "__proto__/3": {},
        "random/0": {"drawing": "<svg/>", "python": "import torch\n"},
    }
    found = packed(cards)
    assert cards_of({"cards": {}, "packed": found}) == cards
    assert len(found["chunks"]) == -(-5 // chunk)
    assert packed(cards) == found


def test_no_cards_no_chunks() -> None:
    assert packed({})["chunks"] == []


def test_what_repeats_is_written_once() -> None:
    source = "".join(f"def function_{number}(x):\n    return x + {number}\n" for number in range(300))
    cards = {f"evolve/{number}": {"python": f"{source}# {number}"} for number in range(64)}
    (chunk,) = packed(cards)["chunks"]
    assert len(chunk) < 3 * len(source)
