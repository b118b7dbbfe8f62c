"""The cards of a written page, opened as its script opens them."""

import base64
import gzip
import json
import re
from pathlib import Path
from typing import Any


def page_data(path: Path) -> Any:
    """The data block of a page."""
    block = re.search(r'<script type="application/json" id="data">(.*?)</script>', path.read_text(encoding="utf-8"))
    assert block
    return json.loads(block[1])


def cards_of(run: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """All cards of a run's data by place, in the order of their importance."""
    cards: dict[str, dict[str, Any]] = dict(run["cards"])
    size, places = run["packed"]["size"], run["packed"]["places"]
    for number, chunk in enumerate(run["packed"]["chunks"]):
        fields = json.loads(gzip.decompress(base64.b64decode(chunk)))
        for place in places[number * size : (number + 1) * size]:
            cards[place] = {name: values[place] for name, values in fields.items() if place in values}
    return cards
