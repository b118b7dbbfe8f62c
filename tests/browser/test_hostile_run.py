"""A run folder full of markup: all of it is shown as text, nothing of it runs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kdzero_gp.gallery.page import write_gallery
from kdzero_gp.store import RunStore
from tests.browser.browser import Browser

HOSTILE = "</script><!--<script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'><svg onload=alert(3)>"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, fill: Callable[..., None]) -> Path:
    folder = tmp_path_factory.mktemp("hostile") / "<img src=x onerror=window.hacked=4>"
    with RunStore.create(folder, {HOSTILE: HOSTILE}) as store:
        fill(store, 0, "weight(1, l1(pool))", 1.0, operator=HOSTILE, parts={HOSTILE: 1.0})
        fill(store, 1, HOSTILE, 0.5, parents=(0,))
        fill(store, 2, HOSTILE, None, error=f"Traceback\u2028{HOSTILE}", parents=(1,))
        fill(store, 0, HOSTILE, 0.25, arm=f"x'\"/{HOSTILE}")
        for number, name in enumerate(("__proto__", "constructor", "toString")):  # every object of the page has these
            fill(store, number, f"weight(1, {name}({name}))", 0.3, arm=name, operator=name, parts={name: 1.0})
        stats = {"best": 0.5, "funnel": {HOSTILE: 3, "constructor": 2}, "weights": {HOSTILE: 0.5, "__proto__": 0.1}}
        store.put_generation("evolve", 0, stats)
        row = {"name": HOSTILE, "kind": HOSTILE, "tree": HOSTILE, "accuracy": [0.9], "mean": 0.9}
        store.put_result("final", {"rows": [row], HOSTILE: HOSTILE, "split": HOSTILE})
        store.put_result("summary", {"pair": HOSTILE, "data": HOSTILE})
        return write_gallery(store)


def test_names_and_tracebacks_are_text(browser: Browser, hostile: Path) -> None:
    browser.errors()
    browser.open(hostile.as_uri())
    assert browser.text("h1") == "<img src=x onerror=window.hacked=4>"
    for page in ("overview", "distillers", "lineage", "operations", "distiller/evolve/1", "distiller/evolve/2"):
        browser.go(f"#/0/{page}")
        browser.until(lambda: browser.text("main"))
        assert browser.run("return window.hacked") is None
        assert (
            browser.run("return document.querySelectorAll('img, main script, iframe, [onerror], [onload]').length") == 0
        )
    assert HOSTILE in browser.text("[aria-label='Error message']")
    browser.go("#/0/distillers")
    table = browser.run("return document.querySelector('.all').textContent")
    assert table.count(HOSTILE) > 3
    assert browser.errors() == []


def test_a_hostile_address_opens_nothing(browser: Browser, hostile: Path) -> None:
    for fragment in (
        "#/0/distiller/<img src=x onerror=window.hacked=5>",
        "#/99/%ff",
        "#/constructor/__proto__",
        "#javascript:1",
    ):
        browser.open(hostile.as_uri() + fragment)
        assert browser.run("return window.hacked") is None
        assert browser.text("main")
    assert browser.errors() == []


def test_the_link_of_a_hostile_search_leads_to_its_card(browser: Browser, hostile: Path) -> None:
    browser.open(hostile.as_uri() + "#/0/distillers")
    links = browser.run("return [...document.querySelectorAll('.all tbody a')].map((a) => a.href)")
    assert all(link.startswith(hostile.as_uri()) for link in links)
    browser.find(".all tbody a").click()  # the lowest fitness is the hostile search's
    browser.until(lambda: "Distiller" in browser.text("h1"))
    assert HOSTILE in browser.text("[aria-label='Text form']")
