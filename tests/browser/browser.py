"""Selenium's Chromium behind the few words that these tests need."""

import json
from collections.abc import Callable
from typing import Any

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

PATIENCE = 120
"""Seconds after which what should appear counts as missing; nothing waits that long where all is well."""


class Browser:
    """One window; `errors` are what its console complained of since they were last asked for."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, url: str) -> None:
        """Loads a page anew, whatever stood in the window."""
        self.driver.get("about:blank")
        self.driver.get(url)

    def go(self, fragment: str) -> None:
        """Moves inside the page and waits until it has."""
        self.run("location.hash = arguments[0]", fragment)
        self.until(
            lambda: self.run("return decodeURIComponent(location.hash) === decodeURIComponent(arguments[0])", fragment)
        )

    def run(self, script: str, *arguments: Any) -> Any:
        """Runs JavaScript in the page."""
        return self.driver.execute_script(script, *arguments)  # type: ignore[no-untyped-call]

    def find(self, selector: str) -> WebElement:
        """The first element of a CSS selector."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        """All elements of a CSS selector."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str = "body") -> str:
        """The text that an element shows."""
        found: str = self.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector)
        return found

    def button(self, label: str) -> WebElement:
        """The button with a label."""
        return next(button for button in self.all("button") if button.text.strip(" ▲▼") == label)

    def until(self, condition: Callable[[], Any]) -> Any:
        """Waits until something holds."""
        return WebDriverWait(self.driver, PATIENCE, poll_frequency=0.05).until(lambda _: condition())

    def command(self, name: str, **options: Any) -> Any:
        """Chromium's own commands."""
        return self.driver.execute_cdp_cmd(name, options)

    def colours(self, scheme: str) -> None:
        """Light or dark."""
        self.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def errors(self) -> list[str]:
        """What the console complained of."""
        log: list[dict[str, Any]] = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [json.dumps(entry) for entry in log if entry["level"] in ("SEVERE", "WARNING")]

    def quit(self) -> None:
        """Ends it."""
        self.driver.quit()


def start_browser(program: str, driver: str, *, root: bool) -> Browser:
    """A headless window of 1200 x 800; `root` may not use Chromium's sandbox."""
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ("--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1200,800"):
        options.add_argument(argument)
    if root:
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return Browser(webdriver.Chrome(options=options, service=webdriver.ChromeService(driver)))
