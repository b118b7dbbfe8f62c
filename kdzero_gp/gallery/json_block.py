"""Writes JSON that is safe inside a `<script>` element."""

import base64
import gzip
import json
from collections.abc import Mapping
from typing import Any

_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


def json_block(value: Any) -> str:
    """Encodes a value as JSON without characters of markup or line ends.

    So `</script>`, `<!--` and U+2028 inside a text stay text. Surrogates without a partner become escapes as well.

    Raises:
        ValueError: a number is NaN or infinite.
    """
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return text.translate(_ESCAPES).encode("utf-8", "backslashreplace").decode("utf-8")


CHUNK = 64
"""Cards that are opened together."""


def packed(cards: Mapping[str, Mapping[str, object]]) -> dict[str, Any]:
    """Packs cards by place: `size` (cards of a chunk), `places` (in order) and `chunks` (Base64 of gzipped JSON).

    A chunk holds fields by name, each by place: alike things stand together, which compresses them best.
    """
    places = list(cards)
    parts = [places[start : start + CHUNK] for start in range(0, len(places), CHUNK)]
    return {"size": CHUNK, "places": places, "chunks": [_chunk({place: cards[place] for place in p}) for p in parts]}


def _chunk(cards: Mapping[str, Mapping[str, object]]) -> str:
    fields = dict.fromkeys(name for card in cards.values() for name in card)
    columns = {name: {place: card[name] for place, card in cards.items() if name in card} for name in fields}
    return base64.b64encode(gzip.compress(json_block(columns).encode("utf-8"), mtime=0)).decode("ascii")
