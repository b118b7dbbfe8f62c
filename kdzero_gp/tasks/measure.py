"""A measure of a network's quality, with its names for people."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """One quality of a network on a split, a share from 0 to 1; more is better.

    Attributes:
        key: its name among the parts that a student is measured by.
        name: in running text and in the columns of tables, `accuracy`.
        short: in one line about a network, `top-1`.
        record: its name in the result file of a final training.
        unit: behind the number as it is shown.
        scale: by which it is multiplied to be shown in that unit.
    """

    key: str
    name: str
    short: str
    record: str
    unit: str = "%"
    scale: float = 100.0

    @property
    def column(self) -> str:
        """The heading of a table's column."""
        return f"{self.name} {self.unit}"

    def shown(self, value: float) -> str:
        """Writes a value in its unit."""
        return f"{self.scale * value:.2f} {self.unit}"
