"""The page of the results: benchmarks/README.md with its tables made from the result files, and its pictures."""

import re

from benchmarks.harness.checkout import RESULTS
from benchmarks.readme_tables import filled

SOURCE = RESULTS.parent / "README.md"


def pages() -> dict[str, str | bytes]:
    """The page, and what it links to."""
    text = filled(SOURCE.read_text(encoding="utf-8"), RESULTS)
    linked = {name for name in re.findall(r"\]\(([^)#:]+)\)", text) if (SOURCE.parent / name).is_file()}
    linked.add("results/gallery.png")  # which the page on the gallery shows
    files: dict[str, str | bytes] = {name: (SOURCE.parent / name).read_bytes() for name in sorted(linked)}
    return {**files, "results.md": text}
