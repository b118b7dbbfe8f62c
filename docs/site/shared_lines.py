"""Gives each parameter a line of its own where a docstring describes several in one: `student, teacher: networks …`."""

import re
from typing import Any

import griffe

SHARED = re.compile(r"^( +)(\w+(?:, \w+)+):(.*(?:\n\1 +.*)*)", re.MULTILINE)


class SharedLines(griffe.Extension):
    """Rewrites the docstrings that mkdocstrings reads; the sources stay as they are."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Splits what a function's, a class's or a module's docstring says of several names at once."""
        if obj.docstring is not None:
            obj.docstring.value = split_lines(obj.docstring.value)


def split_lines(docstring: str) -> str:
    """The docstring with `a, b: text` as two entries, `a: text` and `b: text`."""
    return SHARED.sub(
        lambda match: "\n".join(f"{match[1]}{name}:{match[3]}" for name in match[2].split(", ")), docstring
    )
