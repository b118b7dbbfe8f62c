"""A small distiller that uses a given operation, to be shown beside it."""

from collections.abc import Iterable

from kdzero_gp.grammar.grammar import DEFAULT_TAPS
from kdzero_gp.grammar.operation import ADD, WEIGHT, Operation
from kdzero_gp.grammar.registry import default_registry
from kdzero_gp.grammar.types import CONSTANTS, Loss, PerSample

DISTANCE = "l2"
"""The distance of an example that is about something else, wherever it takes the types in question."""


def example_tree(operation: Operation) -> str:
    """The text form of a distiller with this operation, such as `weight(1, l2(satt(stage1)))` for satt."""
    if operation == ADD:
        return f"{ADD.name}({_argument(Loss)}, {WEIGHT.name}(5, {DISTANCE}(logits)))"
    signature = operation.signatures[0]
    text = f"{operation.name}({', '.join(_arguments(signature.inputs))})"
    if signature.output is Loss:
        return text
    distance = text if signature.output is PerSample else _compared(text, signature.output)
    return f"{WEIGHT.name}(1, {distance})"


def _arguments(types: Iterable[type]) -> Iterable[str]:
    """One argument for each type; two of one type are two taps, where there are two."""
    taken: list[str] = []
    for type_ in types:
        taken.append(_argument(type_, taken))
    return taken


def _argument(type_: type, taken: Iterable[str] = ()) -> str:
    if type_ in CONSTANTS:
        values = CONSTANTS[type_]
        return f"{values[len(values) // 2]:g}"
    if type_ is Loss:
        return f"{WEIGHT.name}(1, {_argument(PerSample)})"
    if type_ is PerSample:
        return f"{DISTANCE}(pool)"
    taps = [tap for tap, tap_type in DEFAULT_TAPS.items() if tap_type is type_]
    if taps:
        return next((tap for tap in taps if tap not in taken), taps[0])
    for other in default_registry().values():
        for signature in other.signatures:
            if signature.output is type_ and not other.extended and set(signature.inputs) <= set(DEFAULT_TAPS.values()):
                return f"{other.name}({', '.join(map(_argument, signature.inputs))})"
    raise ValueError(f"no tap and no transform of taps gives a {type_.__name__}; name a tap of it in DEFAULT_TAPS")


def _compared(text: str, type_: type) -> str:
    registry = default_registry()
    for other in (registry[DISTANCE], *registry.values()):
        for signature in other.signatures:
            if other.kind == "distance" and signature.inputs[0] is type_:
                constants = [_argument(constant) for constant in signature.inputs[1:]]
                return f"{other.name}({', '.join([text, *constants])})"
    raise ValueError(f"no distance takes a {type_.__name__}, so an example cannot compare {text}")
