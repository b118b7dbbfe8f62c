"""Configurations that an earlier version wrote down, before options were put together out of models."""

import json
from pathlib import Path
from typing import Any

import pytest

from kdzero_gp.run.config import make_config
from kdzero_gp.train.config import make_fit_config

RECORDED = json.loads(Path(__file__).with_name("recorded_identity.json").read_text(encoding="utf-8"))
"""Options as a user gives them, and what the program at 4051d74 kept of them."""


@pytest.mark.parametrize("record", RECORDED["runs"])
def test_a_run_is_what_it_was_and_can_be_gone_on_with(record: dict[str, Any]) -> None:
    identity = json.loads(json.dumps(make_config(**record["options"]).identity))
    assert identity == record["identity"]
    assert make_config(**record["identity"]).identity == identity


@pytest.mark.parametrize("record", RECORDED["trainings"])
def test_a_final_training_is_what_it_was_and_can_be_gone_on_with(record: dict[str, Any]) -> None:
    identity = json.loads(json.dumps(make_fit_config(**record["options"]).identity))
    assert identity == record["identity"]
    assert make_fit_config(**record["identity"]).identity == identity
