"""Many cards in little space: compressed in chunks, each opened by the page when one of its cards is looked at."""

import base64
import gzip
from collections.abc import Mapping
from typing import Any

from kdzero_gp.gallery.json_block import json_block

CHUNK = 64
"""Cards that are opened together."""


def packed(cards: Mapping[str, Mapping[str, object]]) -> dict[str, Any]:
    """The cards by place as `size` (cards of a chunk), `places` (in order) and `chunks`: Base64 of gzipped JSON.

    A chunk holds fields by name, each by place: alike things stand together, which compresses them best.
    """
    places = list(cards)
    parts = [places[start : start + CHUNK] for start in range(0, len(places), CHUNK)]
    return {"size": CHUNK, "places": places, "chunks": [_chunk({place: cards[place] for place in p}) for p in parts]}


def _chunk(cards: Mapping[str, Mapping[str, object]]) -> str:
    fields = dict.fromkeys(name for card in cards.values() for name in card)
    columns = {name: {place: card[name] for place, card in cards.items() if name in card} for name in fields}
    return base64.b64encode(gzip.compress(json_block(columns).encode("utf-8"), mtime=0)).decode("ascii")
