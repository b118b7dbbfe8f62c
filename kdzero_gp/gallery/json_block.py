"""JSON that can stand inside a `<script>` element of any page, whatever text it holds."""

import json
from typing import Any

_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


def json_block(value: Any) -> str:
    """The value as JSON without any character that HTML or an old script parser could read as markup or line end.

    So `</script>`, `<!--` and U+2028 inside a text stay text. Surrogates without a partner become escapes as well.

    Raises:
        ValueError: a number is NaN or infinite.
    """
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return text.translate(_ESCAPES).encode("utf-8", "backslashreplace").decode("utf-8")
