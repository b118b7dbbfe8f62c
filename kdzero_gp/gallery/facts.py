"""What a number of a run depends on, as lines for people."""

from collections.abc import Iterator, Mapping
from typing import Any

from kdzero_gp.distiller.export_check import finite_number as finite
from kdzero_gp.gallery.stored_values import text


def facts(summary: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a number of this run depends on: what the summary says, then the configuration for what it leaves out."""
    names = {
        "pair": "teacher → student",
        "data": "data set",
        "seed": "seed",
        "teacher_accuracy": "teacher's accuracy",
        "date": "date",
        "seconds": "duration",
        "hardware": "hardware",
        "versions": "versions",
    }
    for key, name in names.items():
        value = summary.get(key)
        number = finite(value)
        if value is None or value == []:
            continue
        if key == "teacher_accuracy" and number is not None:
            yield name, f"{100 * number:.2f} %"
        elif key == "seconds" and number is not None:
            yield name, f"{number:.0f} s" if number < 120 else f"{number / 60:.1f} min"
        else:
            yield name, text(value)
    for key, value in config.items():
        if key not in summary and value is not None:
            yield str(key), text(value)
