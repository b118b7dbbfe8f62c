"""The examination of an operation at registration: does it keep the contract of its declaration?

Every typing is run on small tensors (ordinary, zero, negative, constant and large), in float32, and must give a
finite tensor of the declared rank and batch size with a finite gradient. The idea is gplearn's `make_function`.
"""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from kdzero_gp.errors import PrimitiveError
from kdzero_gp.grammar.operation import LEARNED, Operation, Signature
from kdzero_gp.grammar.types import CONSTANTS, RANK, Logits, PerSample
from kdzero_gp.torch_state import same_torch
from kdzero_gp.untrusted import error_text

Shape = tuple[int, ...]
Make = Callable[[Shape, int], Tensor]

BATCH = 4
SHAPES: dict[int, Shape] = {4: (BATCH, 3, 4, 4), 3: (BATCH, 3, 5), 2: (BATCH, 6)}
LARGE = 1e4


def probe(operation: Operation) -> None:
    """Runs every typing of an operation on every kind of input.

    Raises:
        PrimitiveError: names the operation, its file and line, the input, and what went wrong.
    """
    if operation.kind == "structure":
        return
    for signature in operation.signatures:
        for label, make in INPUTS.items():
            try:
                with same_torch(lambda: "it"):
                    _probe_one(operation, signature, make)
            except PrimitiveError as error:
                raise _refusal(operation, signature, label, str(error)) from None
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # a foreign function may raise anything, SystemExit among it
                fault = f"it raised {error_text(error)}{_hint(operation)}"
                raise _refusal(operation, signature, label, fault) from error


def _hint(operation: Operation) -> str:
    """Tells what may be wrong with the declaration of an operation that raises."""
    returned = str(getattr(inspect.unwrap(operation.function), "__annotations__", {}).get("return", ""))
    return f". For a primitive with parameters, {LEARNED}" if operation.learned or "Module" in returned else ""


def _refusal(operation: Operation, signature: Signature, label: str, fault: str) -> PrimitiveError:
    return PrimitiveError(
        f"{operation.source}: the {operation.kind} `{operation.name}` was refused. "
        f"As {signature}, on {label} input: {fault}"
    )


def _ordinary(shape: Shape, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


INPUTS: dict[str, Make] = {
    "ordinary": _ordinary,
    "zero": lambda shape, seed: torch.zeros(shape),
    "negative": lambda shape, seed: -_ordinary(shape, seed).abs() - 0.1,
    "constant": lambda shape, seed: torch.full(shape, 0.5 + seed),
    "large (1e4)": lambda shape, seed: LARGE * torch.tanh(_ordinary(shape, seed)),
}


def _probe_one(operation: Operation, signature: Signature, make: Make) -> None:
    if operation.kind == "weight":
        for targets in _targets(operation):
            result = _run(operation, operation.function, [make(SHAPES[2], 0), make(SHAPES[2], 1)], [], targets)
            _check(result, PerSample)
            if bool((result < 0).any()):
                raise PrimitiveError(f"sample weights must be ≥ 0, it gave {result.min().item():.3g}")
        return
    constants = [CONSTANTS[t][-1] for t in signature.inputs if t in CONSTANTS]
    for shapes in _shapes(operation, signature):
        live = operation.kind == "transform"
        tensors = [make(shape, i).requires_grad_(live or i == 0) for i, shape in enumerate(shapes)]
        function = _made(operation, shapes) if operation.learned else operation.function
        inputs = tensors[:1] if operation.bridges else tensors
        for targets in _targets(operation):
            result = _run(operation, function, inputs, constants, targets)
            _examine(operation, signature, tensors, result)
            if operation.bridges and result.shape != shapes[1]:
                raise PrimitiveError(
                    f"it made {tuple(result.shape)} of {shapes[0]}, but was to bring it to the other side's {shapes[1]}"
                )
        if not operation.learned and make is _ordinary:
            outside = _run(operation, function, [x.detach() for x in inputs], constants, targets)
            if outside.requires_grad:
                raise PrimitiveError(f"it uses parameters that no optimiser trains; {LEARNED}")


def _shapes(operation: Operation, signature: Signature) -> list[list[Shape]]:
    """Gives the shapes of the inputs, one list for every way in which they may differ."""
    shapes = [SHAPES[RANK[t]] for t in signature.inputs if t not in CONSTANTS]
    if operation.kind == "distance":
        shapes = [shapes[0], shapes[0]]
        wider = (shapes[0][0], shapes[0][1] + 2, *shapes[0][2:])
        return [shapes, [wider, shapes[0]]] if operation.ragged and Logits not in signature.inputs else [shapes]
    if operation.bridges:
        return [[shapes[0], other] for other in (shapes[0], (BATCH, 5, *shapes[0][2:]))]
    return [shapes]


def _made(operation: Operation, shapes: list[Shape]) -> Callable[..., Any]:
    """Gives the module of a learned operation."""
    module = operation.function(*map(torch.Size, shapes))
    if not isinstance(module, nn.Module):
        raise PrimitiveError(
            f"a learned primitive is a factory of nn.Module, it gave a {type(module).__name__}; {LEARNED}"
        )
    return module


def _run(
    operation: Operation, function: Callable[..., Any], tensors: list[Tensor], constants: list[float], targets: Tensor
) -> Any:
    """Tells what a function gives for copies of tensors, which it must leave as they are."""
    options: dict[str, Any] = {"generator": torch.Generator().manual_seed(0)} if operation.random else {}
    if operation.labels:
        options["targets"] = targets
    given = [tensor.clone() for tensor in tensors]  # no leaves, which torch itself would protect
    # as it was declared: what the engine calls hands copies to a foreign function
    declared = function if operation.learned else getattr(function, "__wrapped__", function)
    result = declared(*given, *constants, **options)
    for before, after in zip(tensors, given, strict=True):
        if after._version or not torch.equal(before, after):
            raise PrimitiveError(
                "it changes its input in place, which other operations read; write x = x * 2 for x *= 2, x.relu() for "
                "x.relu_(), and nn.ReLU() for nn.ReLU(inplace=True)"
            )
    return result


def _targets(operation: Operation) -> list[Tensor]:
    """Gives the forms of targets that an operation may be given: a class of each sample, or a 0 or 1 for each class."""
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
        form = f"; {LEARNED}" if isinstance(result, nn.Module) else ""
        raise PrimitiveError(f"it gave a {type(result).__name__}, expected a torch tensor{form}")
    if result.dim() != RANK[output] or result.shape[0] != BATCH:
        wanted = {4: "(N, C, H, W)", 3: "(N, R, D)", 2: "(N, D)", 1: "(N,)"}[RANK[output]]
        raise PrimitiveError(
            f"it gave shape {tuple(result.shape)}, expected {wanted} with N = {BATCH}, as {output.__name__} demands"
        )
    if not result.is_floating_point():
        raise PrimitiveError(f"it gave {result.dtype}, expected a floating-point tensor")
    if not bool(torch.isfinite(result).all()):
        raise PrimitiveError("its value is not finite")
