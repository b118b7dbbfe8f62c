"""Shapes are inferred by running operations, and what one of them does to the process is undone."""

import pytest
import torch
from torch import Tensor

from kdzero_gp import Map, parse, transform
from kdzero_gp.distiller.shapes import alignment_of
from kdzero_gp.errors import PrimitiveError
from kdzero_gp.grammar.registry import default_registry

STUDENT, TEACHER = {"stage1": (4, 3, 8, 8)}, {"stage1": (4, 5, 8, 8)}
CHANGES = {
    "default device from cpu to meta": lambda: torch.set_default_device("meta"),
    "default dtype from torch.float32 to torch.float64": lambda: torch.set_default_dtype(torch.float64),
    "grad mode": lambda: torch.set_grad_enabled(True),
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_operation_that_changes_torch_is_named_and_undone(change: str) -> None:
    before = torch.get_default_device(), torch.get_default_dtype(), torch.is_grad_enabled()
    with default_registry().copy().active():

        @transform(Map, formula="x")
        def meddling(x: Tensor) -> Tensor:
            """Leaves it as it is."""
            # not yet where it is looked at on its declaration
            if tuple(x.shape) in (STUDENT["stage1"], TEACHER["stage1"]):
                CHANGES[change]()
            return x * 1.0

        tree = parse("weight(1, l2(meddling(stage1)))")
        with pytest.raises(PrimitiveError, match=rf"`meddling` \(.*changed settings of torch .*{change}"):
            alignment_of(tree.root, STUDENT, TEACHER)
    assert (torch.get_default_device(), torch.get_default_dtype(), torch.is_grad_enabled()) == before
