"""An operation that changes torch's settings costs itself alone."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from kdzero_gp import Distiller, Knowledge, Map, transform
from kdzero_gp.errors import PrimitiveError
from kdzero_gp.grammar.registry import active_registry
from kdzero_gp.torch_state import TorchState, same_torch

CHANGES: dict[str, tuple[Callable[[], object], str]] = {
    "dtype": (lambda: torch.set_default_dtype(torch.float64), "default dtype from torch.float32 to torch.float64"),
    "grad": (lambda: torch.set_grad_enabled(False), "grad mode from True to False"),
    "device": (lambda: torch.set_default_device("meta"), "default device from cpu to meta"),
    "threads": (lambda: torch.set_num_threads(torch.get_num_threads() + 1), "threads from"),
    "deterministic": (lambda: torch.use_deterministic_algorithms(True), "deterministic mode from"),
    "precision": (lambda: torch.set_float32_matmul_precision("medium"), "matmul precision from highest to medium"),
    "anomaly": (lambda: torch.autograd.set_detect_anomaly(True), "anomaly mode from False to True"),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_settings_are_put_back_and_the_change_is_named(kind: str) -> None:
    act, message = CHANGES[kind]
    before = TorchState.now()
    told = rf"guest changed settings of torch.*{message}.*were set back"
    with pytest.raises(PrimitiveError, match=told), same_torch(lambda: "guest"):
        act()
    assert TorchState.now() == before
    assert torch.ones(1).device.type == "cpu"


def test_an_error_of_its_own_comes_first() -> None:
    before = TorchState.now()

    def act() -> None:
        torch.set_default_dtype(torch.float64)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), same_torch(lambda: "guest"):
        act()
    assert TorchState.now() == before


def test_what_changes_nothing_passes() -> None:
    with same_torch(lambda: "guest"), torch.no_grad():
        pass


ARMED = {0: False}


def test_a_distiller_names_its_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    with active_registry().copy().active():

        @transform(Map, formula="x")
        def guest_of_state(x: Tensor) -> Tensor:
            """x, and another default type once it is armed."""
            if ARMED[0]:
                torch.set_default_dtype(torch.float64)
            return x

        distiller = Distiller("weight(1, l2(guest_of_state(stage1)))")
        knowledge = Knowledge(stage1=torch.rand(2, 3, 4, 4))
        distiller(knowledge, knowledge)
        monkeypatch.setitem(ARMED, 0, True)
        with pytest.raises(PrimitiveError, match=r"`guest_of_state` \(.*test_torch_state.py:\d+\)"):
            distiller(knowledge, knowledge)
    assert torch.get_default_dtype() == torch.float32
