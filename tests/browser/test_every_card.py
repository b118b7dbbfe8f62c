"""Every distiller's card: its drawing and all that can be copied, from the page alone and from the live view."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from kdzero_gp.browse import live_data
from kdzero_gp.browse.live import LiveServer
from kdzero_gp.drawing.reading import Reading
from kdzero_gp.export.distiller_file import load
from kdzero_gp.gallery.page import write_galleries
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.store import Evaluation, RunStore
from tests.browser.browser import Browser

LISTEN = (
    "window.copied = []; Object.defineProperty(navigator, 'clipboard', {value: {writeText: async (text) => "
    "{ copied.push(text); }}})"
)
HOSTILE = "weight(1, l1(<img src=x onerror='window.hacked = 1'>))"


def probe(tree: Tree, evaluation: Evaluation) -> Mapping[str, Reading]:
    return {"pool": Reading(1.5, 0.0, "dead"), "logits": Reading(2.5, 0.25, "live")}


@pytest.fixture(scope="module")
def whole(gallery: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the sample run as `browse --probe` writes it."""
    return write_galleries([gallery.parent.parent], tmp_path_factory.mktemp("whole"), probe_of=lambda store: probe)


def opened(browser: Browser, url: str) -> None:
    browser.errors()
    browser.open(url)
    browser.until(lambda: browser.all(".drawn svg, .drawn .warn, .drawn code"))


def shows(browser: Browser, words: str) -> None:
    """Waits until the drawing has these words."""
    browser.until(lambda: words in (browser.find(".drawn").get_attribute("textContent") or ""))


@pytest.mark.parametrize("number", [3, 64, 150, 151, 299])  # the last one failed, so its nodes are not measured
def test_a_card_that_does_not_lead_has_everything(browser: Browser, whole: Path, number: int, tmp_path: Path) -> None:
    opened(browser, f"{whole.as_uri()}#/0/distiller/evolve/{number}")
    tree = f"weight({number + 1}, {('l1', 'l2', 'smooth_l1')[number % 3]}({('pool', 'logits')[number % 2]}))"
    assert len(browser.all(".drawn svg .node")) == 4
    shown = browser.find(".drawn").get_attribute("textContent") or ""
    assert f"w = {number + 1}" in shown
    readings = ("|x| 1.5, |∇| 0", "|x| 2.5, |∇| 0.25")[number % 2] if number != 299 else "ended with error"
    assert readings in shown
    assert len(browser.all(".drawn .muted")) == (0 if number % 2 else 1)
    browser.run(LISTEN)
    for label in ("Copy text", "Copy best.json", "Copy Python module", "Copy LaTeX"):
        browser.button(label).click()
        browser.until(lambda: browser.button("Copied"))
    text, file, python, latex = browser.run("return copied")
    assert text == tree
    (tmp_path / "best.json").write_text(file, encoding="utf-8")
    assert str(load(tmp_path / "best.json").tree) == tree
    assert json.loads(file)["teacher"] == "t"
    assert tree in python
    compile(python, "best.py", "exec")
    assert latex.startswith("\\begin{aligned}")
    assert browser.errors() == []


def test_one_card_after_another(browser: Browser, whole: Path) -> None:
    opened(browser, f"{whole.as_uri()}#/0/distiller/evolve/0")
    for number in (298, 1, 200, 0):
        browser.go(f"#/0/distiller/evolve/{number}")
        shows(browser, f"w = {number + 1}")
        assert len(browser.all(".drawn svg")) == 1


def test_beyond_the_most_a_card_says_how_to_draw_it(browser: Browser, gallery: Path, tmp_path: Path) -> None:
    page = write_galleries([gallery.parent.parent], tmp_path, most=10)
    opened(browser, f"{page.as_uri()}#/0/distiller/evolve/3")
    text = browser.text(".drawn")
    assert "10 of this run's 301 distillers are drawn here" in text
    assert "--draw evolve/3" in text
    assert "weight(4, l1(logits))" in browser.text("main")
    assert browser.all("math")


def test_a_browser_that_cannot_decompress_is_told(browser: Browser, whole: Path) -> None:
    opened(browser, f"{whole.as_uri()}#/0/distiller/evolve/298")  # the winner's needs no decompression
    browser.run("delete window.DecompressionStream")
    browser.go("#/0/distiller/evolve/3")
    browser.until(lambda: browser.all(".drawn .warn"))
    assert "cannot open compressed data" in browser.text(".drawn")
    assert browser.button("Copy text")


def test_a_hostile_text_stays_text(browser: Browser, tmp_path: Path, fill: Callable[..., None]) -> None:
    with RunStore.create(tmp_path / "run", {}) as store:
        fill(store, 0, "weight(1, l1(pool))", 1.0)
        fill(store, 1, HOSTILE, 2.0, parents=(0,))
    page = write_galleries([tmp_path / "run"], probe_of=lambda opened: probe)
    opened(browser, f"{page.as_uri()}#/0/distiller/evolve/1")
    assert "<img" in browser.text("[aria-label='Text form']")
    assert browser.text(".drawn .warn")
    assert browser.run("return window.hacked") is None
    assert browser.all("img") == []
    assert browser.errors() == []


@pytest.fixture
def server(gallery: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveServer]:
    monkeypatch.setattr(live_data, "SHORTEST", 0.0)
    with LiveServer([gallery.parent.parent], probe_of=lambda store: probe) as opened:
        thread = threading.Thread(target=opened.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield opened
        opened.shutdown()
        thread.join()


def test_the_live_view_brings_any_card(browser: Browser, server: LiveServer) -> None:
    browser.errors()
    browser.open(server.url)
    browser.until(lambda: "301 evaluations" in browser.text("#live"))
    for number in (3, 150):
        browser.go(f"#/0/distiller/evolve/{number}")
        browser.until(lambda: browser.all(".drawn svg"))
        shows(browser, f"w = {number + 1}")
        assert "|∇|" in browser.text(".drawn p")
        for label in ("Copy text", "Copy best.json", "Copy Python module"):
            assert browser.button(label)
    assert browser.errors() == []
