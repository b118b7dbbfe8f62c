"""Runs generated files where kdzero_gp cannot be imported: `python -I standalone_process.py FOLDER`.

Reads FOLDER/inputs.pt and every FOLDER/NUMBER.py; writes losses and input gradients to FOLDER/results.pt.
"""

import importlib.util
import sys
from pathlib import Path

import torch

folder = Path(sys.argv[1])
FORBIDDEN = ("kdzero_gp", "primitives", "deap")


class Blocked:
    """Nothing of this package can be imported, wherever it is installed."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in FORBIDDEN:
            raise ImportError(f"{name} is not available here")


sys.meta_path.insert(0, Blocked)

cases = torch.load(folder / "inputs.pt", weights_only=True)
results = {}
for name, (student, teacher, targets, with_shapes) in cases.items():
    spec = importlib.util.spec_from_file_location(f"best_{name}", folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    student = {tap: x.requires_grad_(True) for tap, x in student.items()}
    shapes = [{tap: tuple(x.shape[1:]) for tap, x in k.items()} for k in (student, teacher)]
    distiller = module.Distiller(*shapes) if with_shapes else module.Distiller()
    losses, gradients = [], {}
    for _ in range(2):
        loss = distiller(student, teacher, targets)
        losses.append(loss.detach())
    if loss.requires_grad:
        inputs = {**student, **dict(distiller.named_parameters())}
        found = torch.autograd.grad(loss, list(inputs.values()), allow_unused=True, materialize_grads=True)
        gradients = dict(zip(inputs, found, strict=True))
    results[name] = (losses, gradients, list(distiller.state_dict()))
assert not [name for name in sys.modules if name.partition(".")[0] in FORBIDDEN]
torch.save(results, folder / "results.pt")
