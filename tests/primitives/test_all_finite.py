"""Finite value and finite gradient: of every operation on degenerate input, and of chains of them."""

import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kdzero_gp import Logits, Map, PerSample, Rows, Tau, Value, Vector
from kdzero_gp.grammar.registry import default_registry

SHAPES = {Map: (4, 3, 5, 4), Rows: (4, 3, 5), Vector: (4, 6), Logits: (4, 6)}


def _randn(shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


INPUTS = {
    "zeros": torch.zeros,
    "constant": lambda shape: torch.full(shape, 0.3),
    "plus 1e4": lambda shape: torch.full(shape, 1e4),
    "minus 1e4": lambda shape: torch.full(shape, -1e4),
    "signs of 1e4": lambda shape: 1e4 * _randn(shape).sign(),
    "large": lambda shape: 1e4 * torch.tanh(_randn(shape)),
    "ordinary": _randn,
    "tiny": lambda shape: 1e-30 * _randn(shape),
    "smallest": lambda shape: torch.full(shape, 1e-44),
    "small": lambda shape: 1e-20 * _randn(shape),
    "nearly constant": lambda shape: 1e4 + 1e-3 * _randn(shape),
    "one in zeros": lambda shape: torch.zeros(shape).index_fill(0, torch.tensor(0), 1e4),
}
UNARY = [
    (name, signature)
    for name, op in default_registry().items()
    if op.kind == "transform"
    for signature in op.signatures
]
BINARY = [
    (name, signature) for name, op in default_registry().items() if op.kind == "distance" for signature in op.signatures
]


def _options(operation):
    """What a call needs beside its tensors and constants."""
    options = {"generator": torch.Generator().manual_seed(1)} if operation.random else {}
    return options | ({"targets": torch.arange(4)} if operation.labels else {})


def _function(operation, inputs):
    """What is called: for a learned operation, the module made for these inputs."""
    if not operation.learned:
        return operation.function
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return operation.function(*(x.shape for x in inputs)).to(inputs[0].device)


def _knowledge(signature):
    """The types of a signature's tensors."""
    return [t for t in signature.inputs if t not in (Tau, Value)]


def _constants(signature, tau=1.0, value=1.0):
    return [tau if t is Tau else value for t in signature.inputs if t in (Tau, Value)]


def _transformed(operation, signature, inputs, tau=1.0):
    function = _function(operation, inputs)
    return function(*inputs, *_constants(signature, tau), **_options(operation))


def _assert_finite(result, inputs, what):
    assert bool(torch.isfinite(result).all()), f"value of {what}"
    if not result.requires_grad:
        return
    # Not the plain sum: the gradient of a sum of softmaxes, for one, is zero whatever the operation does.
    upstream = _randn(result.shape, seed=9)
    for gradient in torch.autograd.grad((result * upstream).sum(), inputs, allow_unused=True):
        assert gradient is None or bool(torch.isfinite(gradient).all()), f"gradient of {what}"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize(("name", "signature"), UNARY, ids=lambda v: v if isinstance(v, str) else str(v))
def test_a_transform_is_finite_on_degenerate_input(operations, name, signature, dtype):
    for label, make in INPUTS.items():
        inputs = [make(SHAPES[t]).to(dtype).requires_grad_() for t in _knowledge(signature)]
        result = _transformed(operations[name], signature, inputs)
        _assert_finite(result, inputs, f"{name} on {label}")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize(("name", "signature"), BINARY, ids=lambda v: v if isinstance(v, str) else str(v))
def test_a_distance_is_finite_on_degenerate_input(operations, name, signature, dtype):
    constants, options = _constants(signature), _options(operations[name])
    for label_s, make_s in INPUTS.items():
        for label_t, make_t in INPUTS.items():
            student = make_s(SHAPES[signature.inputs[0]]).to(dtype).requires_grad_()
            teacher = make_t(SHAPES[signature.inputs[0]]).to(dtype)
            result = operations[name].function(student, teacher, *constants, **options)
            _assert_finite(result, [student], f"{name} of {label_s} and {label_t}")


@pytest.mark.parametrize("factor", [1e8, 1e16, 1e22])
def test_what_a_chain_can_reach_stays_finite(operations, factor):
    for name, signature in UNARY:
        x = (factor * torch.tanh(_randn(SHAPES[signature.inputs[0]]))).requires_grad_()
        inputs = [x] * len(_knowledge(signature))
        _assert_finite(_transformed(operations[name], signature, inputs, tau=8.0), [x], name)
    for name, signature in BINARY:
        student = (factor * torch.tanh(_randn(SHAPES[signature.inputs[0]]))).requires_grad_()
        teacher = factor * torch.tanh(_randn(SHAPES[signature.inputs[0]], seed=1))
        constants = _constants(signature, tau=8.0)
        result = operations[name].function(student, teacher, *constants, **_options(operations[name]))
        _assert_finite(result, [student], name)


SMOOTH = [(name, signature) for name, signature in UNARY if default_registry()[name].side != "teacher"]


@pytest.mark.parametrize(("name", "signature"), SMOOTH, ids=lambda v: v if isinstance(v, str) else str(v))
def test_the_gradient_of_a_transform_is_that_of_its_value(operations, name, signature):
    shapes = {Map: (3, 2, 3, 2), Rows: (3, 2, 3), Vector: (3, 4), Logits: (3, 4)}
    inputs = [_randn(shapes[t], seed).double().requires_grad_() for seed, t in enumerate(_knowledge(signature))]
    operation = operations[name]
    assert torch.autograd.gradcheck(lambda *x: _transformed(operation, signature, x, tau=1.5), inputs)


@pytest.mark.parametrize(("name", "signature"), BINARY, ids=lambda v: v if isinstance(v, str) else str(v))
def test_the_gradient_of_a_distance_is_that_of_its_value(operations, name, signature):
    shapes = {Map: (3, 2, 3, 2), Rows: (3, 2, 3), Vector: (3, 4), Logits: (3, 4)}
    student = _randn(shapes[signature.inputs[0]]).double().requires_grad_()
    teacher = _randn(shapes[signature.inputs[0]], seed=1).double()
    constants, operation = _constants(signature, 1.5, 1.5), operations[name]
    options = {"targets": torch.arange(3)} if operation.labels else {}
    assert torch.autograd.gradcheck(lambda s: operation.function(s, teacher, *constants, **options), [student])


def test_signed_log_and_root_keep_their_gradient_at_zero(operations):
    for name, slope in (("log", 1.0), ("sqrt", 500.0)):
        x = torch.zeros(1, 3, requires_grad=True)
        gradient = torch.autograd.grad(operations[name].function(x).sum(), x)[0]
        torch.testing.assert_close(gradient, torch.full((1, 3), slope))


CHAINED = {
    type_: [
        (name, s.output)
        for name, op in default_registry().items()
        if op.kind == "transform" and not op.extended and op.side == "both"
        for s in op.signatures
        if s.inputs == (type_,)
    ]
    for type_ in (Map, Rows, Vector)
}


@settings(max_examples=400)
@given(st.integers(0, 2**32), st.sampled_from(["large", "ordinary", "zeros", "one in zeros", "signs of 1e4"]))
def test_a_chain_of_transforms_and_a_distance_stay_finite(seed, kind):
    operations, rng = default_registry(), random.Random(seed)
    type_ = Map
    student = INPUTS[kind](SHAPES[Map]).requires_grad_()
    s, t, names = student, 1e4 * torch.tanh(_randn(SHAPES[Map], seed=2)), []
    for _ in range(rng.randint(1, 6)):
        name, type_ = rng.choice(CHAINED[type_])
        names.append(name)
        s = operations[name].function(s, **_options(operations[name]))
        t = operations[name].function(t, **_options(operations[name]))
    fitting = [(n, sig) for n, sig in BINARY if sig.inputs[0] is type_ and not operations[n].extended]
    name, signature = rng.choice(fitting)
    assert signature.output is PerSample
    result = operations[name].function(s, t, *([4.0] if Tau in signature.inputs else []))
    _assert_finite(result, [student], f"{name} of {' of '.join(reversed(names))} on {kind}")


@pytest.mark.parametrize(("name", "signature"), UNARY, ids=lambda v: v if isinstance(v, str) else str(v))
def test_a_shape_is_inferred_without_data(operations, name, signature):
    inputs = [torch.randn(SHAPES[t]) for t in _knowledge(signature)]
    real = _transformed(operations[name], signature, inputs)
    inferred = _transformed(operations[name], signature, [x.to("meta") for x in inputs])
    assert inferred.is_meta
    assert inferred.shape == real.shape
