"""The examination of an operation at registration: does it keep the contract of its declaration?

Every typing is run on small tensors (ordinary, zero, negative, constant and large), in float32, and must give a
finite tensor of the declared rank and batch size with a finite gradient. The idea is gplearn's `make_function`.
"""

from typing import Any

import torch
from torch import Tensor, nn

from kdzero_gp.errors import PrimitiveError
from kdzero_gp.grammar.operation import Operation, Signature
from kdzero_gp.grammar.types import CONSTANTS, RANK, PerSample
from kdzero_gp.torch_state import same_torch

BATCH = 4
SHAPES = {4: (BATCH, 3, 4, 4), 3: (BATCH, 3, 5), 2: (BATCH, 6)}
LARGE = 1e4


def probe(operation: Operation) -> None:
    """Runs every typing of an operation on every kind of input.

    Raises:
        PrimitiveError: names the operation, its file and line, the input, and what went wrong.
    """
    if operation.kind == "structure":
        return
    for signature in operation.signatures:
        for label, offset in INPUTS.items():
            try:
                with same_torch(lambda: "it"):
                    _probe_one(operation, signature, offset)
            except PrimitiveError as error:
                raise _refusal(operation, signature, label, str(error)) from None
            except Exception as error:
                raise _refusal(operation, signature, label, f"it raised {type(error).__name__}: {error}") from error


def _refusal(operation: Operation, signature: Signature, label: str, fault: str) -> PrimitiveError:
    return PrimitiveError(
        f"{operation.source}: the {operation.kind} `{operation.name}` was refused. "
        f"As {signature}, on {label} input: {fault}"
    )


def _ordinary(shape: tuple[int, ...], seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


INPUTS = {
    "ordinary": _ordinary,
    "zero": lambda shape, seed: torch.zeros(shape),
    "negative": lambda shape, seed: -_ordinary(shape, seed).abs() - 0.1,
    "constant": lambda shape, seed: torch.full(shape, 0.5 + seed),
    "large (1e4)": lambda shape, seed: LARGE * torch.tanh(_ordinary(shape, seed)),
}


def _probe_one(operation: Operation, signature: Signature, make: Any) -> None:
    if operation.kind == "weight":
        student, teacher = make(SHAPES[2], 0), make(SHAPES[2], 1)
        for targets in _targets(operation):
            result = operation.function(student, teacher, **({"targets": targets} if operation.labels else {}))
            _check(result, PerSample)
            if bool((result < 0).any()):
                raise PrimitiveError(f"sample weights must be ≥ 0, it gave {result.min().item():.3g}")
        return
    constants = [CONSTANTS[t][-1] for t in signature.inputs if t in CONSTANTS]
    tensors = [
        make(SHAPES[RANK[t]], seed).requires_grad_(operation.kind == "transform" or seed == 0)
        for seed, t in enumerate(t for t in signature.inputs if t not in CONSTANTS)
    ]
    if operation.kind == "distance":
        tensors = [tensors[0], make(SHAPES[RANK[signature.inputs[0]]], 1)]
    options: dict[str, Any] = {}
    if operation.random:
        options["generator"] = torch.Generator().manual_seed(0)
    if operation.learned:
        module = operation.function(*(t.shape for t in tensors))
        if not isinstance(module, nn.Module):
            raise PrimitiveError(f"a learned primitive is a factory of nn.Module, it gave a {type(module).__name__}")
        _examine(operation, signature, tensors, module(*tensors, *constants, **options))
        return
    for targets in _targets(operation):
        options |= {"targets": targets} if operation.labels else {}
        _examine(operation, signature, tensors, operation.function(*tensors, *constants, **options))


def _targets(operation: Operation) -> list[Tensor]:
    """The forms of targets that an operation may be given: a class of each sample, or a 0 or 1 for each class."""
    single, several = torch.arange(BATCH), torch.eye(BATCH, SHAPES[2][1])
    return {"exclusive": [single], "independent": [several]}.get(
        operation.classes, [single, several] if operation.labels else [single]
    )


def _examine(operation: Operation, signature: Signature, tensors: list[Tensor], result: Any) -> None:
    """Checks what an operation gave, and its gradient with respect to its first input."""
    _check(result, signature.output)
    if operation.side != "teacher":
        if not result.requires_grad:
            raise PrimitiveError("the result carries no gradient; use differentiable operations or teacher_only=True")
        for gradient in torch.autograd.grad(result.sum(), tensors[:1], allow_unused=True):
            if gradient is not None and not bool(torch.isfinite(gradient).all()):
                raise PrimitiveError("its gradient is not finite")


def _check(result: Any, output: type) -> None:
    if not isinstance(result, Tensor):
        raise PrimitiveError(f"it gave a {type(result).__name__}, expected a torch tensor")
    if result.dim() != RANK[output] or result.shape[0] != BATCH:
        wanted = {4: "(N, C, H, W)", 3: "(N, R, D)", 2: "(N, D)", 1: "(N,)"}[RANK[output]]
        raise PrimitiveError(
            f"it gave shape {tuple(result.shape)}, expected {wanted} with N = {BATCH}, as {output.__name__} demands"
        )
    if not result.is_floating_point():
        raise PrimitiveError(f"it gave {result.dtype}, expected a floating-point tensor")
    if not bool(torch.isfinite(result).all()):
        raise PrimitiveError("its value is not finite")
