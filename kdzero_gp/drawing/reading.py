"""The reading of one node of a distiller on one batch, as numbers and as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from kdzero_gp.grammar.tree import Node

State = Literal["live", "constant", "dead"]


@dataclass(frozen=True)
class Reading:
    """One node on one batch.

    Attributes:
        value: root mean square of the student's value there; of a node behind the distance, of the value per sample.
        gradient: norm of the calibrated loss's gradient with respect to that value.
        state: whether the node takes part.
    """

    value: float
    gradient: float
    state: State


def readings_as_data(readings: Mapping[str, Reading]) -> dict[str, list[float | str]]:
    """Turns readings into plain values; the store keeps NaN and infinity."""
    return {text: [r.value, r.gradient, r.state] for text, r in readings.items()}


def readings_from_data(stored: object) -> dict[str, Reading]:
    """Reads the data of `readings_as_data`; entries of another form are left out, since a run folder is not trusted."""
    found = {}
    for text, entry in stored.items() if isinstance(stored, Mapping) else ():
        match entry:
            case [int() | float() as value, int() | float() as gradient, "live" | "constant" | "dead" as state]:
                found[str(text)] = Reading(float(value), float(gradient), state)
    return found


def muted(readings: Mapping[str, Reading], node: Node) -> bool:
    """Tells whether a node has no effect on the student."""
    reading = readings.get(node.text)
    return reading is not None and reading.state != "live"
