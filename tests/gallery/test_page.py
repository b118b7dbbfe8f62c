"""The page: one file, one script, data that cannot become markup; for whole, unfinished, empty and hostile runs."""

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from kdzero_gp.errors import StoreError
from kdzero_gp.gallery.page import page, page_script, render_page, script_hash, write_galleries, write_gallery
from kdzero_gp.grammar.registry import Registry
from kdzero_gp.store import RunStore
from tests.gallery.page_cards import cards_of, page_data
from tests.gallery.sample_run import EXAMPLE, HOSTILE, fill_sample

Recorder = Callable[..., None]


class Page(HTMLParser):
    """The elements of a page, and what its data block holds."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside == "script":
            self.scripts[-1] += data

    @property
    def data(self) -> Any:
        """The data block, as the browser reads it."""
        return json.loads(self.scripts[0])


def checked(text: str) -> Page:
    """What must hold for every page: one data block, one script of ours, nothing from elsewhere."""
    found = Page(text)
    assert found.scripts[1:] == [page_script()]
    assert f"script-src 'sha256-{script_hash(page_script())}';" in text
    assert "default-src 'none'" in text
    assert not {"img", "iframe", "object", "base", "form", "embed"} & {tag for tag, _ in found.elements}
    for _, attributes in found.elements:
        assert not any(name.startswith("on") for name in attributes)
        assert "src" not in attributes
        assert (attributes.get("href") or "#").startswith(("#", "data:,"))
    return found


def test_a_whole_run(store: RunStore, record: Recorder, stand_ins: Registry) -> None:
    fill_sample(store, record)
    path = write_gallery(store, registry=stand_ins)
    assert path == store.folder / "gallery" / "index.html"
    (run,) = checked(path.read_text(encoding="utf-8")).data["runs"]
    assert run["rows"]["tree"][0] == EXAMPLE
    assert run["final"]["rows"][0]["name"] == "kd"  # the highest accuracy, though it was not evolved
    assert ["teacher's accuracy", "98.20 %"] in run["facts"]


def test_the_same_run_gives_the_same_bytes_also_when_read_only(
    store: RunStore, record: Recorder, stand_ins: Registry
) -> None:
    fill_sample(store, record)
    first = write_gallery(store, registry=stand_ins).read_bytes()
    with RunStore.read(store.folder) as again:
        assert write_gallery(again, registry=stand_ins).read_bytes() == first


def test_the_script_cannot_end_its_own_element_and_asks_nobody() -> None:
    script = page_script()
    assert "</script" not in script.lower()
    assert "<!--" not in script
    for forbidden in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "http:", "https:"):
        found = [line for line in script.splitlines() if forbidden in line and "www.w3.org" not in line]
        assert not found, forbidden


def test_hostile_text_everywhere_stays_data(store: RunStore, record: Recorder, stand_ins: Registry) -> None:
    record(0, HOSTILE, 1.0, operator=HOSTILE, parts={HOSTILE: float("nan")}, arm=HOSTILE)
    record(1, HOSTILE + "\x00\u202e\ud800\u2028", 1.0, parts={"ce": float("inf")})
    record(2, "(" * 200_000, 1.5)
    record(3, EXAMPLE, error=HOSTILE)
    rows = [{"name": HOSTILE, "kind": HOSTILE, "tree": HOSTILE, "mean": 0.5, "accuracy": [HOSTILE, None, 0.5]}, HOSTILE]
    store.put_result("final", {"rows": rows, "seeds": HOSTILE, "split": [HOSTILE], "epochs": {HOSTILE: HOSTILE}})
    store.put_result(
        "summary", {"pair": HOSTILE, "versions": {HOSTILE: HOSTILE}, "shapes": {"student": {HOSTILE: [HOSTILE]}}}
    )
    store.put_result("readings", {HOSTILE: {HOSTILE: HOSTILE}, EXAMPLE: HOSTILE})
    store.put_generation("evolve", 0, {"best": 1.0, "quartiles": HOSTILE, "funnel": {HOSTILE: 3, "nan": HOSTILE}})
    text = render_page(store, registry=stand_ins)
    (run,) = checked(text).data["runs"]
    assert HOSTILE in run["rows"]["tree"]
    assert HOSTILE in run["rows"]["error"]["names"]
    assert run["final"]["rows"][0]["name"] == HOSTILE
    assert "alert(1)</script>" not in text
    assert not re.search("[\u202e\u2028\ud800]", text)


@pytest.mark.parametrize("value", [None, [], 3, "x", {"rows": 3}, {"rows": [None, 3, {}]}, {"rows": [{"mean": "nan"}]}])
def test_results_of_another_form_do_not_break_the_page(store: RunStore, value: object) -> None:
    for name in ("final", "summary", "readings", "leaders/evolve"):
        store.put_result(name, value)  # type: ignore[arg-type]
    for stats in ({}, {"best": "low", "funnel": 3, "weights": 3}, {"median": 10**400, "quartiles": [1]}):
        store.put_generation("evolve", 0, stats)
        checked(render_page(store))


def test_an_empty_run(store: RunStore) -> None:
    (run,) = checked(render_page(store)).data["runs"]
    assert run["rows"]["count"] == 0
    assert run["winner"] is None


def test_several_runs_go_into_one_page(store: RunStore, record: Recorder, tmp_path: Path) -> None:
    record(0, "weight(1, l1(pool))", 1.0)
    with RunStore.create(tmp_path / "second", {"pop": 5}):
        pass
    path = write_galleries([store.folder, tmp_path / "second"], tmp_path / "out" / "both")
    assert path == tmp_path / "out" / "both" / "index.html"
    assert [run["name"] for run in checked(path.read_text(encoding="utf-8")).data["runs"]] == ["run", "second"]


def test_browse_draws_every_distiller_and_a_run_at_its_end_the_first(
    store: RunStore, record: Recorder, tmp_path: Path
) -> None:
    for number in range(200):
        status = {"status": "rejected", "stage": "no_gradient"} if number % 3 == 0 else {"fitness": 1.0 + number}
        record(number, f"weight({number + 1}, l1(pool))", calibration=(0.5,), **status)
    (run,) = page_data(write_galleries([store.folder], tmp_path / "all"))["runs"]
    cards = cards_of(run)
    assert (len(cards), run["drawn"], run["distillers"]) == (200, 200, 200)
    assert next(iter(cards)) == run["winner"] == "evolve/1"
    for card in cards.values():
        assert {"drawing", "latex", "file", "python"} <= set(card)
    assert "calibration × 0.5" in cards["evolve/199"]["drawing"]
    first = write_galleries([store.folder], tmp_path / "again").read_bytes()
    assert first == (tmp_path / "all" / "index.html").read_bytes()
    (run,) = page_data(write_gallery(store))["runs"]
    assert (len(cards_of(run)), run["drawn"], run["distillers"]) == (160, 160, 200)
    (run,) = page_data(write_galleries([store.folder], tmp_path / "few", named=[("evolve", 3)], most=2))["runs"]
    assert list(cards_of(run)) == ["evolve/1", "evolve/3"]


def test_the_live_page_holds_no_data_and_asks_its_own_server_alone() -> None:
    text = page(None)
    assert checked(text).data is None
    assert "connect-src 'self'" in text
    assert "connect-src 'none'" in page({"runs": []})


def test_a_gallery_that_cannot_be_written(store: RunStore) -> None:
    Path(store.folder / "gallery").write_text("in the way", encoding="utf-8")
    with pytest.raises(StoreError, match="gallery"):
        write_gallery(store)
