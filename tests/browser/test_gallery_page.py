"""The gallery as a reader meets it: opened from disk, in a real browser."""

import json
from pathlib import Path

import pytest

from kdzero_gp.export.distiller_file import load
from kdzero_gp.gallery.page import write_galleries
from tests.browser.browser import Browser

TABLE = "#/0/distillers"


@pytest.fixture(autouse=True)
def quiet_console(browser: Browser) -> None:
    browser.errors()


def shown_rows(browser: Browser) -> list[dict[str, str]]:
    """The rows in sight, by column."""
    script = """
      const names = [...document.querySelectorAll(".all thead th")].map((th) => th.textContent.trim());
      return [...document.querySelectorAll(".all tbody tr[data-row]")].map((tr) =>
        Object.fromEntries([...tr.children].map((cell, i) => [names[i], cell.textContent])));
    """
    found: list[dict[str, str]] = browser.run(script)
    return found


def column(browser: Browser, name: str) -> list[str]:
    return [row[name] for row in shown_rows(browser)]


def ancestors(number: int) -> set[int]:
    """As the sample run is made: from generation 1 on, the parents of n are n - 50 and n - 49."""
    parents = set() if number < 50 else {number - 50, number - 49}
    return parents.union(*map(ancestors, parents))


def open_table(browser: Browser, gallery: Path) -> None:
    browser.open(gallery.as_uri() + TABLE)


def sort_by(browser: Browser, name: str) -> None:
    browser.run(
        "const heads = [...document.querySelectorAll('.all thead button')];"
        "heads.find((head) => head.textContent.startsWith(arguments[0])).click()",
        name,
    )


def fill_in(browser: Browser, label: str, value: str) -> None:
    script = """
      const [name, value] = arguments;
      const field = document.querySelector(`[aria-label="Filter ${name}"]`) ?? document.getElementById(name);
      field.value = value;
      field.dispatchEvent(new Event(field.tagName === "SELECT" ? "change" : "input", { bubbles: true }));
    """
    browser.run(script, label, value)


def test_opens_from_disk_without_a_complaint(browser: Browser, gallery: Path) -> None:
    for page in ("overview", "distillers", "lineage", "operations", "distiller/evolve/298", "distiller/evolve/299"):
        browser.open(f"{gallery.as_uri()}#/0/{page}")
        assert browser.text("main")
        assert browser.errors() == []


def test_overview_shows_winner_table_and_figures(browser: Browser, gallery: Path) -> None:
    browser.open(gallery.as_uri())
    text = browser.text()
    for words in ("96.00 ± 1.00 %", "weight(299, l2(pool))", "Fitness over the generations", "Shrinkage"):
        assert words in text
    assert len(browser.all("main svg.chart")) >= 5
    assert browser.all("main .drawing svg")
    front = browser.find("a[href*='distiller'] .front")
    browser.run("arguments[0].parentElement.dispatchEvent(new MouseEvent('click', {bubbles: true}))", front)
    browser.until(lambda: browser.text("h1").startswith("Distiller evolution"))


def test_sorts_by_a_column_either_way(browser: Browser, gallery: Path) -> None:
    open_table(browser, gallery)
    sort_by(browser, "Generation")
    assert column(browser, "Generation")[:3] == ["0", "0", "0"]
    sort_by(browser, "Generation")
    assert column(browser, "Generation")[0] == "5"
    assert browser.run("return document.querySelector('th[aria-sort]').getAttribute('aria-sort')") == "descending"
    sort_by(browser, "Fitness")
    values = [float(value) for value in column(browser, "Fitness")]
    assert values == sorted(values)
    assert values[0] == 2.02


def test_failures_come_last_whichever_way_fitness_is_sorted(browser: Browser, gallery: Path) -> None:
    open_table(browser, gallery)
    for _ in range(2):
        sort_by(browser, "Fitness")
        browser.run("const s = document.querySelector('.scroller'); s.scrollTop = s.scrollHeight")
        browser.until(lambda: column(browser, "Fitness")[-1] == "–")


def test_filters(browser: Browser, gallery: Path) -> None:
    open_table(browser, gallery)
    for filters, expected in (
        ({"Status": "error"}, 30),
        ({"Status": "error", "Generation": ">=4"}, 10),
        ({"Number": "10..19", "Search": "evolve"}, 10),
        ({"Operator": "crossover", "Text form": "POOL"}, 125),
        ({"contains": "smooth_l1"}, 100),
        ({"contains": "l1", "Search": "random"}, 1),
        ({"Fitness": "<2.03"}, 1),
    ):
        browser.button("Clear filters").click()
        for label, value in filters.items():
            fill_in(browser, label, value)
        assert browser.text("[role=status]").startswith(f"{expected} of 301"), filters


def test_a_filter_that_is_no_test_is_marked(browser: Browser, gallery: Path) -> None:
    open_table(browser, gallery)
    fill_in(browser, "Fitness", "small")
    assert browser.find("[aria-label='Filter Fitness']").get_attribute("aria-invalid") == "true"
    assert browser.text("[role=status]").startswith("301 of 301")


def test_only_the_rows_in_sight_are_in_the_page_and_keys_reach_all(browser: Browser, gallery: Path) -> None:
    open_table(browser, gallery)
    sort_by(browser, "Number")
    assert len(shown_rows(browser)) < 60
    press = """
      const active = document.activeElement;
      const link = active.closest("tbody") ? active : document.querySelector(".all tbody a");
      link.focus();
      link.dispatchEvent(new KeyboardEvent("keydown", { key: arguments[0], bubbles: true }));
      return document.activeElement.textContent;
    """
    assert browser.run(press, "End") == "299"
    assert browser.run(press, "ArrowUp") == "298"
    assert browser.run(press, "Home") == "0"


def test_a_row_opens_its_card_and_the_browser_goes_back(browser: Browser, gallery: Path) -> None:
    open_table(browser, gallery)
    fill_in(browser, "Number", "299")
    browser.find(".all tbody a").click()
    browser.until(lambda: browser.text("h1") == "Distiller evolution 299")
    assert "RuntimeError: out of luck" in browser.text("main")
    browser.driver.back()
    browser.until(lambda: browser.all(".all"))
    assert browser.find("[aria-label='Filter Number']").get_attribute("value") == "299"


def test_a_card_shows_formula_difference_and_relatives(browser: Browser, gallery: Path) -> None:
    browser.open(f"{gallery.as_uri()}#/0/distiller/evolve/298")
    formula = browser.run("return document.querySelector('math').textContent.replace(/\\s/g, '')")
    assert formula == "ℒ=299·0.5·𝔼[l2(fs,ft)]"
    assert "|x| 1.5, |∇| 0.25" in browser.find(".drawing").get_attribute("textContent")
    differences = [(e.tag_name, e.text) for e in browser.all(".difference del, .difference ins")]
    # 248 is weight(249, smooth_l1(pool)), 249 failed and is weight(250, l1(logits))
    expected = [("del", "249"), ("del", "smooth_l1(pool)"), ("ins", "299"), ("ins", "l2(pool)")]
    expected += [("del", "250"), ("del", "l1(logits)"), ("ins", "299"), ("ins", "l2(pool)")]
    assert differences == expected
    assert browser.run("return document.querySelectorAll('.relatives li').length") == len(ancestors(298))
    assert browser.all("mn[title], span[title='0.5']")


def test_copying(browser: Browser, gallery: Path, tmp_path: Path) -> None:
    browser.open(f"{gallery.as_uri()}#/0/distiller/evolve/298")
    browser.run(
        "window.copied = []; document.addEventListener('copy', () => copied.push(document.getSelection().toString() || "
        "document.activeElement.value)); Object.defineProperty(navigator, 'clipboard', {value: {writeText: async (text)"
        " => { copied.push(text); }}})"
    )
    for label in ("Copy text", "Copy best.json", "Copy Python module"):
        browser.button(label).click()
        browser.until(lambda: browser.button("Copied"))
    text, file, python = browser.run("return copied")
    assert text == "weight(299, l2(pool))"
    (tmp_path / "best.json").write_text(file, encoding="utf-8")
    assert str(load(tmp_path / "best.json").tree) == text
    assert json.loads(file)["student"] == "s"
    compile(python, "best.py", "exec")


def test_copying_without_a_clipboard(browser: Browser, gallery: Path) -> None:
    browser.open(f"{gallery.as_uri()}#/0/distiller/evolve/298")
    browser.run("window.copied = []; Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    browser.run("document.addEventListener('copy', () => copied.push(document.activeElement.value))")
    browser.button("Copy text").click()
    assert browser.until(lambda: browser.run("return copied")) == ["weight(299, l2(pool))"]


def test_dark_mode(browser: Browser, gallery: Path) -> None:
    browser.open(gallery.as_uri())
    seen = {}
    for scheme in ("light", "dark"):
        browser.colours(scheme)
        seen[scheme] = browser.run(
            "const s = getComputedStyle(document.body); return [s.backgroundColor, s.color].map("
            "(c) => c.match(/\\d+/g).reduce((a, b) => a + Number(b), 0))"
        )
    browser.colours("light")
    assert seen["light"][0] > 700 > 200 > seen["light"][1]
    assert seen["dark"][0] < 100 < 600 < seen["dark"][1]


def test_the_lineage_opens_cards(browser: Browser, gallery: Path) -> None:
    browser.open(f"{gallery.as_uri()}#/0/lineage")
    links = browser.all(".lineage a")
    assert len(links) == 1 + len(ancestors(298))
    browser.run("arguments[0].dispatchEvent(new MouseEvent('click', {bubbles: true}))", links[0])
    browser.until(lambda: browser.text("h1").startswith("Distiller evolution"))


def test_two_runs_side_by_side(browser: Browser, gallery: Path, tmp_path: Path) -> None:
    run = gallery.parent.parent
    browser.open(write_galleries([run, run], tmp_path).as_uri() + "#/compare")
    assert browser.text("h1") == "Runs side by side"
    assert "evolved 1, test accuracy\t96.00 ± 1.00 %\t96.00 ± 1.00 %" in browser.text("main")
    assert "Nothing: the runs had the same configuration." in browser.text("main")
    assert len(browser.all(".chart")) == 3
    browser.go("#/1/distiller/evolve/299")
    browser.until(lambda: browser.text("h1") == "Distiller evolution 299")
    assert browser.errors() == []


def test_nothing_is_wider_than_a_phone(browser: Browser, gallery: Path) -> None:
    browser.command("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=1, mobile=True)
    try:
        for page in ("overview", "distillers", "lineage", "operations", "distiller/evolve/298"):
            browser.open(f"{gallery.as_uri()}#/0/{page}")
            assert browser.run("return document.documentElement.scrollWidth") <= 360, page
    finally:
        browser.command("Emulation.clearDeviceMetricsOverride")
