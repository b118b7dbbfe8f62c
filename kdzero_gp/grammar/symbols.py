"""The nodes of DEAP's prefix lists: operations, taps and constants, each carrying what the engine needs of it."""

from typing import Any

from deap import gp

from kdzero_gp.errors import PrimitiveError
from kdzero_gp.grammar.operation import Operation, Signature
from kdzero_gp.grammar.registry import active_registry


class OperationSymbol(gp.Primitive):
    """One typing of an operation, as a DEAP primitive. Its name carries the typing, since DEAP wants it unique."""

    __slots__ = ("operation", "signature")

    def __init__(self, operation: Operation, signature: Signature) -> None:
        inputs = "-".join(t.__name__ for t in signature.inputs)
        super().__init__(f"{operation.name}:{inputs}", signature.inputs, signature.output)
        self.operation = operation
        self.signature = signature

    @property
    def text(self) -> str:
        """The name in the text form."""
        return self.operation.name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OperationSymbol) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __deepcopy__(self, memo: dict[int, Any]) -> "OperationSymbol":
        return self  # immutable

    def __reduce__(self) -> tuple[Any, ...]:
        return _registered, (self.operation.name, self.signature.inputs, self.operation.source)


def _registered(name: str, inputs: tuple[type, ...], source: str) -> OperationSymbol:
    """Finds the symbol in this process by the operation's name, since functions do not travel."""
    operation = active_registry().get(name)
    signature = None if operation is None else operation.resolve(inputs)
    if operation is None or signature is None:
        raise PrimitiveError(
            f"this process does not know the primitive `{name}` of {source} as it was; load the file that declares "
            "it before you unpickle what uses it"
        )
    return OperationSymbol(operation, signature)


class TapSymbol(gp.Terminal):
    """A knowledge tap: `stage2`, `pool`, `logits`."""

    __slots__ = ()

    def __init__(self, tap: str, type_: type) -> None:
        super().__init__(tap, True, type_)

    @property
    def text(self) -> str:
        """The name in the text form."""
        return str(self.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TapSymbol) and (self.name, self.ret) == (other.name, other.ret)

    def __hash__(self) -> int:
        return hash(self.name)

    def __reduce__(self) -> tuple[Any, ...]:
        return TapSymbol, (self.name, self.ret)


class ConstantSymbol(gp.Terminal):
    """A number: the value of a weight or a temperature."""

    __slots__ = ()

    def __init__(self, value: float, type_: type) -> None:
        super().__init__(float(value), False, type_)

    @property
    def text(self) -> str:
        """Shortest text that reads back as the number; whole numbers have no point."""
        return repr(int(self.value)) if self.value.is_integer() and abs(self.value) < 1e15 else repr(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ConstantSymbol) and (self.value, self.ret) == (other.value, other.ret)

    def __hash__(self) -> int:
        return hash((self.value, self.ret.__name__))

    def __reduce__(self) -> tuple[Any, ...]:
        return ConstantSymbol, (self.value, self.ret)


Symbol = OperationSymbol | TapSymbol | ConstantSymbol
