"""Prints the lowest version that pyproject.toml allows of every dependency, as constraints for pip."""

import tomllib
from pathlib import Path

EXTRAS = ("dev",)

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
bounds = [*project["dependencies"], *(line for extra in EXTRAS for line in project["optional-dependencies"][extra])]
print("\n".join(bound.replace(">=", "==") for bound in bounds))
