"""axe-core finds nothing serious on any page, light or dark."""

from pathlib import Path

import pytest

from tests.browser.browser import Browser

PAGES = ("overview", "distillers", "lineage", "operations", "distiller/evolve/298", "distiller/evolve/299")


@pytest.fixture(scope="module")
def axe() -> str:
    package = pytest.importorskip("axe_selenium_python", reason="needs axe-selenium-python, which the dev extra brings")
    folder = Path(package.__file__).parent / "node_modules" / "axe-core"
    return (folder / "axe.min.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_violations(browser: Browser, gallery: Path, axe: str, scheme: str) -> None:
    browser.colours(scheme)
    browser.open(gallery.as_uri())
    browser.run(axe)
    for page in PAGES:
        browser.go(f"#/0/{page}")
        found = browser.driver.execute_async_script(  # type: ignore[no-untyped-call]
            "const done = arguments[0]; const brief = (v) => [v.impact, v.id, v.nodes[0].html.slice(0, 200)];"
            "axe.run().then((r) => done(r.violations.map(brief)), (e) => done([['critical', String(e), '']]))"
        )
        assert [entry for entry in found if entry[0] in ("serious", "critical")] == [], page
    browser.colours("light")
