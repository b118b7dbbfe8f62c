"""Reads the text form of a distiller. Nothing that is read is ever executed.

    loss     = weight(VALUE, distance) | add(loss, loss)
    argument = tap | number | operation(argument, …)

Overloads are resolved from the arguments up, so every text has one typing.
"""

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NoReturn

from kdzero_gp.errors import ParseError
from kdzero_gp.grammar.grammar import tap_type
from kdzero_gp.grammar.operation import Operation
from kdzero_gp.grammar.registry import active_registry
from kdzero_gp.grammar.symbols import ConstantSymbol, OperationSymbol, Symbol, TapSymbol
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.grammar.types import CONSTANTS, KNOWLEDGE, RESULTS, Constant, Loss

TOKEN = re.compile(
    r"(?P<blank>\s+)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<number>[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)|(?P<mark>[(),])|(?P<other>\S)"
)
MAXIMUM_DEPTH = 100
MAXIMUM_LENGTH = 20_000
MAXIMUM_EXCERPT = 40
"""Characters of a token that a message repeats."""


@dataclass(frozen=True)
class Token:
    """A piece of the text and where it stands; `kind` is name, number, mark, other or end."""

    kind: str
    text: str
    position: int


def parse(
    text: str, *, registry: Mapping[str, Operation] | None = None, taps: Mapping[str, type] | None = None
) -> Tree:
    """Reads a distiller from its text form; `str(parse(text))` is the text with normal spacing.

    Args:
        text: for example `weight(1, kl(logits, 4))`.
        registry: the operations that may occur, by default all that are registered.
        taps: the taps that may occur, by default any of stage1, stage2, …, pool, logits.

    Raises:
        ParseError: names the position, what stands there, and what could stand there.
    """
    if not isinstance(text, str):
        raise ParseError(f"a distiller's text form is a string, this is a {type(text).__name__}", 0)
    reader = _Reader(text, active_registry() if registry is None else registry, taps)
    return Tree(reader.distiller())


class _Reader:
    """Recursive descent over the tokens of one text."""

    def __init__(self, text: str, registry: Mapping[str, Operation], taps: Mapping[str, type] | None) -> None:
        self.text = text
        self.registry = registry
        self.taps = taps
        if len(text) > MAXIMUM_LENGTH:
            raise ParseError(f"the text has {len(text)} characters, at most {MAXIMUM_LENGTH} are read", MAXIMUM_LENGTH)
        self.tokens = [
            Token(m.lastgroup or "", m[0], m.start()) for m in TOKEN.finditer(text) if m.lastgroup != "blank"
        ]
        self.tokens.append(Token("end", "the end of the text", len(text)))
        self.index = 0

    def fail(self, token: Token, expected: str, found: str | None = None) -> NoReturn:
        shown = found or (token.text if token.kind == "end" else f"`{_excerpt(token)}`")
        start = max(0, token.position - 50)
        window = _printable(self.text[start : token.position + 30])
        pointer = f"  {window}\n  {' ' * (token.position - start)}^"
        raise ParseError(f"column {token.position + 1}: found {shown}, expected {expected}\n{pointer}", token.position)

    def next(self) -> Token:
        token = self.tokens[self.index]
        if token.kind != "end":
            self.index += 1
        return token

    def mark(self, mark: str, expected: Callable[[], str]) -> None:
        token = self.next()
        if token.text != mark or token.kind != "mark":
            self.fail(token, expected())

    def distiller(self) -> list[Symbol]:
        first = self.tokens[0]
        symbols = self.argument((Loss,), depth=0)
        if symbols[0].ret is not Loss:
            self.fail(first, self.candidates((Loss,)), _found(first, symbols[0].ret))
        rest = self.next()
        if rest.kind != "end":
            self.fail(rest, "the end of the text")
        return symbols

    def argument(self, types: tuple[type, ...], depth: int) -> list[Symbol]:
        """Reads one argument where any of `types` may stand."""
        token = self.next()
        if depth > MAXIMUM_DEPTH:
            self.fail(token, f"at most {MAXIMUM_DEPTH} levels of nesting")
        if token.kind == "number":
            return [self.constant(token, types)]
        if token.kind != "name":
            self.fail(token, self.candidates(types))
        if token.text in self.registry:
            return self.call(token, self.registry[token.text], depth)
        type_ = self.taps.get(token.text) if self.taps is not None else tap_type(token.text)
        if type_ is None:
            self.fail(token, self.candidates(types) + self.suggestion(token.text))
        return [TapSymbol(token.text, type_)]

    def constant(self, token: Token, types: tuple[type, ...]) -> Symbol:
        constants = [t for t in types if issubclass(t, Constant)]
        if not constants:
            self.fail(token, self.candidates(types))
        value = float(token.text)
        smallest, largest = constants[0].limits
        if not 0 < value < float("inf"):
            self.fail(token, f"a {constants[0].__name__}: a positive finite number")
        if not smallest <= value <= largest:
            self.fail(token, f"a {constants[0].__name__}: a number from {smallest:g} to {largest:g}")
        return ConstantSymbol(value, constants[0])

    def call(self, name: Token, operation: Operation, depth: int) -> list[Symbol]:
        self.mark("(", lambda: f"`(` and the arguments of {_usage(operation)}")
        result: list[Symbol] = []
        given: tuple[type, ...] = ()
        for position in range(operation.arity):
            if position:
                here = f"`,` and argument {position + 1} of {operation.arity} of "
                self.mark(",", lambda here=here: here + _usage(operation))  # type: ignore[misc]
            open_ = [s for s in operation.signatures if s.inputs[:position] == given]
            wanted = tuple(dict.fromkeys(s.inputs[position] for s in open_))
            start = self.tokens[self.index]
            symbols = self.argument(wanted, depth + 1)
            if symbols[0].ret not in wanted:
                self.fail(start, f"{self.candidates(wanted)}, as {_usage(operation)}", _found(start, symbols[0].ret))
            given += (symbols[0].ret,)
            result += symbols
        self.mark(")", lambda: f"`)`, since {_usage(operation)} is complete")
        signature = operation.resolve(given)
        if signature is None:  # the loop above only lets matching types through
            raise AssertionError(f"{operation.name} has no typing for {given}")
        return [OperationSymbol(operation, signature), *result]

    def candidates(self, types: tuple[type, ...]) -> str:
        """Lists operations and taps of the wanted `types`, shortened where there are many."""
        if set(types) <= set(CONSTANTS):
            return f"a {types[0].__name__}: a positive number such as {CONSTANTS[types[0]][-1]:g}"
        taps = self.taps if self.taps is not None else {t: tap_type(t) for t in ("stage1", "stage2", "pool", "logits")}
        names = [f"`{tap}`" for tap, type_ in taps.items() if type_ in types]
        names += [f"`{o.name}(…)`" for o in self.registry.values() if any(s.output in types for s in o.signatures)]
        shown = ", ".join(names[:10]) + (
            f" or one of {len(names) - 10} more (--list-primitives)" if len(names) > 10 else ""
        )
        article = " or ".join(t.__name__ for t in (*KNOWLEDGE, *RESULTS, *CONSTANTS) if t in types)
        return f"a {article}: {shown}"

    def suggestion(self, name: str) -> str:
        if len(name) > MAXIMUM_EXCERPT:
            return ""
        known = [*self.registry, *(self.taps or ("stage1", "stage2", "stage3", "pool", "logits"))]
        close = difflib.get_close_matches(name, known, n=1)
        return f". Did you mean `{close[0]}`?" if close else ""


def _printable(text: str) -> str:
    """Gives the text with a blank for every character that a terminal would act on instead of showing it."""
    return "".join(c if c.isprintable() else " " for c in text)


def _excerpt(token: Token) -> str:
    text = _printable(token.text[: MAXIMUM_EXCERPT + 1])
    return text if len(text) <= MAXIMUM_EXCERPT else f"{text[:MAXIMUM_EXCERPT]}…"


def _found(token: Token, type_: type) -> str:
    return f"`{_excerpt(token)}`, which gives a {type_.__name__}"


def _usage(operation: Operation) -> str:
    """Gives the call with the types of its arguments: `kl(Vector or Rows or Logits, Tau)`."""
    columns = []
    for position in range(operation.arity):
        types = dict.fromkeys(s.inputs[position].__name__ for s in operation.signatures)
        columns.append(" or ".join(types))
    return f"{operation.name}({', '.join(columns)})"
