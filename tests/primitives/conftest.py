"""Hands the plain-loop references to the tests: a test folder is no package and cannot import a neighbour."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from kdzero_gp.grammar.registry import default_registry


@pytest.fixture(scope="session")
def plain() -> ModuleType:
    """The module plain_loops.py beside this file."""
    path = Path(__file__).with_name("plain_loops.py")
    spec = importlib.util.spec_from_file_location("primitives_plain_loops", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def operations():
    """The built-in operations by name."""
    return default_registry()
