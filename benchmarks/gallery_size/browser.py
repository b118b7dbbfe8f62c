"""What Chromium takes for the page: to load, sort, filter, scroll, and to open a card."""

import shutil
import statistics
from pathlib import Path
from typing import Any

from benchmarks.harness.result import Row

FRAMES = 120
MEASURE = """
const [frames, done] = arguments;
const timed = (action) => {
  const began = performance.now();
  action();
  document.body.offsetHeight;
  return performance.now() - began;
};
const head = (name) =>
  [...document.querySelectorAll(".all thead button")].find((button) => button.textContent.startsWith(name));
const table = timed(() => {
  location.hash = "#/0/distillers";
  window.dispatchEvent(new HashChangeEvent("hashchange"));
});
const sort = ["Fitness", "Size", "Text form"].map((name) => timed(() => head(name).click()));
const filter = ["l2", "norm", "kl"].map((text) => timed(() => {
  const field = document.querySelector('[aria-label="Filter Text form"]');
  field.value = text;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}));
[...document.querySelectorAll("button")].find((b) => b.textContent === "Clear filters").click();
const scroller = document.querySelector(".scroller");
const step = scroller.scrollHeight / frames;
const intervals = [];
let last = performance.now();
const next = () => {
  const now = performance.now();
  intervals.push(now - last);
  last = now;
  const rows = document.querySelectorAll(".all tbody tr[data-row]").length;
  if (intervals.length > frames) done({ table, sort, filter, intervals: intervals.slice(1), rows });
  else { scroller.scrollTop += step; requestAnimationFrame(next); }
};
requestAnimationFrame(next);
"""
OPEN_CARD = """
const done = arguments[0];
const keys = runs[0].data.packed.places;
const began = performance.now();
location.hash = `#/0/distiller/${keys.at(-1)}`;
const look = () => {
  if (document.querySelector(".drawn svg, .drawn .warn")) done(performance.now() - began);
  else setTimeout(look, 1);
};
look();
"""


def browser_rows(page: Path) -> list[Row]:
    """What Chromium takes for the page; no rows where there is none."""
    program, driver = (shutil.which(name) for name in ("chromium", "chromedriver"))
    if program is None or driver is None:
        return []
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        browser.get(page.as_uri())
        load = browser.execute_script("return performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
        found: dict[str, Any] = browser.execute_async_script(MEASURE, FRAMES)
        card = browser.execute_async_script(OPEN_CARD)
    finally:
        browser.quit()
    frames = sorted(found["intervals"])
    values = {
        "load: until the page is drawn, s": load / 1000,
        "table: opened, s": found["table"] / 1000,
        "sort: slowest of three, s": max(found["sort"]) / 1000,
        "filter: slowest of three, s": max(found["filter"]) / 1000,
        "card: opened with its drawing, s": card / 1000,
        "scroll: median frame, ms": statistics.median(frames),
        "scroll: 95th percentile of frames, ms": frames[int(0.95 * (len(frames) - 1))],
        "rows in the page at once": found["rows"],
    }
    return [{"what": what, "value": float(value)} for what, value in values.items()]
