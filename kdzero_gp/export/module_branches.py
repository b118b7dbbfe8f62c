"""A distiller's terms as lines of Python: one per operation, shared ones once."""

from collections.abc import Mapping, Sequence

from kdzero_gp.distiller.program import Term
from kdzero_gp.grammar.grammar import SCORES
from kdzero_gp.grammar.operation import Operation
from kdzero_gp.grammar.tree import Node
from kdzero_gp.grammar.types import CONSTANTS

Argument = tuple[Node, bool]
"""What a distance compares, and whether it lets dimension 1 of the two sides differ."""


class Branches:
    """The methods that compute the distances' arguments, and the body that puts them together.

    Arguments that share an operation are computed in one branch, so that the shared part stands once.

    Attributes:
        definitions: lines of the branch methods, in a class.
        taps: by branch, the taps below each of its results.
        joint: lines of the forward body up to the last distance.
        results: the name of every term's per-sample distance.
        ragged: by branch, for each of its results, whether its distance lets dimension 1 of the sides differ; where
            none does, a branch is left out.
        labelled: names of the operations that need the class of every sample.
        draws: a random operation is among them.
        teacher_learns: a learned operation stands on the teacher's side.
    """

    def __init__(self, terms: Sequence[Term], functions: Mapping[str, str]) -> None:
        self._functions = functions
        self._arguments = _arguments(terms)
        self._draws = _draws(self._arguments)
        self._modules = _modules(self._arguments)
        self.draws = bool(self._draws)
        self.teacher_learns = any("teacher" in sides for sides in self._modules.values())
        self.definitions: list[str] = []
        self.taps: dict[str, tuple[tuple[str, ...], ...]] = {}
        self.ragged: dict[str, tuple[bool, ...]] = {}
        self.joint: list[str] = []
        self._place = {argument: i for i, argument in enumerate(self._arguments, start=1)}
        self.labelled = _labelled(terms)
        if self.labelled:
            names = ", ".join(f"`{name}`" for name in self.labelled)
            self.joint.append(f'            labels, known = self.class_labels(targets, "{names}", student)')
        self._weights(terms)
        for group in self._groups():
            self._branch(f"branch{len(self.taps) + 1}", group)
        self._distances: dict[Node, str] = {}
        self.results = [self._distance(term.distance) for term in terms]

    def _groups(self) -> list[list[Argument]]:
        """Arguments joined where they share an operation; learned ones stay alone, since their shapes matter."""
        groups: list[tuple[list[Argument], set[Node]]] = []
        for argument in self._arguments:
            nodes = {n for n in argument[0].walk() if n.operation is not None}
            joined: tuple[list[Argument], set[Node]] = ([], nodes)
            if not any(n.operation and n.operation.learned for n in nodes):
                for group in [g for g in groups if g[1] & nodes]:
                    if any(n.operation and n.operation.learned for n in group[1]):
                        continue
                    groups.remove(group)
                    joined = ([*joined[0], *group[0]], joined[1] | group[1])
            groups.append(([*joined[0], argument], joined[1]))
        return [group for group, _ in groups]

    def _branch(self, branch: str, arguments: Sequence[Argument]) -> None:
        known: dict[Node, str] = {}
        lines: list[str] = []
        for tap in dict.fromkeys(tap for argument, _ in arguments for tap in argument.taps()):
            lines.append(f'        {tap} = taps["{tap}"]')
        results = [self._transform(argument, known, lines) for argument, _ in arguments]
        self.taps[branch] = tuple(argument.taps() for argument, _ in arguments)
        if any(ragged for _, ragged in arguments):
            self.ragged[branch] = tuple(ragged for _, ragged in arguments)
        what = ", ".join(dict.fromkeys(argument.text for argument, _ in arguments))
        signature = "(self, taps: Mapping[str, Tensor], side: str) -> tuple[Tensor, ...]"
        self.definitions += ["", f"    def {branch}{signature}:"]
        self.definitions += [f'        """One side of {what}."""', *lines, f"        return ({', '.join(results)},)"]
        places = [self._place[argument] for argument in arguments]
        left, right = (", ".join(f"{side}{place}" for place in places) for side in "st")
        self.joint.append(f'            ({left},), ({right},) = self.both_sides("{branch}", student, teacher)')

    def _transform(self, node: Node, known: dict[Node, str], lines: list[str]) -> str:
        """Gives the local variable that holds a knowledge node, its lines added where they are missing."""
        operation = node.operation
        if operation is None:
            return node.symbol
        if node in known:
            return known[node]
        inputs = [self._transform(child, known, lines) for child in node.children if child.type not in CONSTANTS]
        given = [*inputs, *_constants(node)]
        function = self._functions[operation.name]
        if operation.learned:
            numbers = self._modules[node]
            function = f"self.module(side, {numbers!r}[side], {', '.join([function, *inputs])})"
        if node in self._draws:
            given.append(f"generator=self.generator({self._draws[node]}, {inputs[0]})")
        call = f"{function}({', '.join(given)})"
        if operation.bridges:
            number = self._modules[node][operation.side]
            call = f'{call} if side == "{operation.side}" else self.met({number}, {inputs[0]})'
        elif operation.side != "both":
            call = f'{call} if side == "{operation.side}" else {inputs[0]}'
        known[node] = f"x{len(known) + 1}"
        lines.append(f"        {known[node]} = {call}")
        return known[node]

    def _weights(self, terms: Sequence[Term]) -> None:
        """Gives the sample weights, which depend on the class scores and the targets alone."""
        nodes = (node for term in terms for node in term.distance.walk() if node.kind == "weight")
        used = {node.operation.name: node.operation for node in nodes if node.operation is not None}
        self._weight_of = {name: f"u{number}" for number, name in enumerate(used, start=1)}
        if used:
            self.joint.append("            with torch.no_grad():")
        for name, operation in used.items():
            call = f'{self._functions[name]}(student["{SCORES}"], teacher["{SCORES}"]{_labels(operation)})'
            given = f"{call}, known" if _reads_labels(operation) else call
            weights = f"mean_one({given})" if operation.normalise else call
            self.joint.append(f"                {self._weight_of[name]} = {weights}")

    def _distance(self, node: Node) -> str:
        if node in self._distances:
            return self._distances[node]
        operation = node.operation
        if operation is None:
            raise AssertionError(f"{node.text} is no operation")
        if operation.kind == "weight":
            value = f"{self._distance(node.children[0])} * {self._weight_of[operation.name]}"
        else:
            place = self._place[node.children[0], operation.ragged]
            given = [f"s{place}", f"t{place}", *_constants(node)]
            value = f"{self._functions[operation.name]}({', '.join(given)}{_labels(operation)})"
            if _reads_labels(operation):
                value = f"of_the_labelled({value}, known)"
        name = self._distances[node] = f"d{len(self._distances) + 1}"
        self.joint.append(f"            {name} = {value}")
        return name


def _arguments(terms: Sequence[Term]) -> list[Argument]:
    """Tells what the distances compare, each once, in the order of the terms."""
    distances = (node for term in terms for node in term.distance.walk() if node.kind == "distance")
    return list(dict.fromkeys((node.children[0], bool(node.operation and node.operation.ragged)) for node in distances))


def _labelled(terms: Sequence[Term]) -> tuple[str, ...]:
    nodes = (node.operation for term in terms for node in term.distance.walk())
    return tuple(dict.fromkeys(o.name for o in nodes if o is not None and _reads_labels(o)))


def _reads_labels(operation: Operation) -> bool:
    """Tells whether it needs the class of every sample; others with labels take the targets as the task has them."""
    return operation.labels and operation.classes == "exclusive"


def _draws(arguments: Sequence[Argument]) -> dict[Node, int]:
    """Gives the number of every random operation, counted as the package's program does."""
    numbers: dict[Node, int] = {}

    def visit(node: Node, side: str) -> None:
        for child in node.children:
            visit(child, side)
        if node.operation is not None and node.operation.random and node.operation.side in ("both", side):
            numbers.setdefault(node, len(numbers))

    for argument, _ in arguments:
        for side in ("student", "teacher"):
            visit(argument, side)
    return numbers


def _modules(arguments: Sequence[Argument]) -> dict[Node, dict[str, int]]:
    """By learned operation and side, the number of its module, counted as the package does."""
    numbers: dict[Node, dict[str, int]] = {}
    count = 0
    for node in (node for argument, _ in arguments for node in argument.walk()):
        if node.operation is None or not node.operation.learned or node in numbers:
            continue
        numbers[node] = {}
        for side in ("student", "teacher"):
            if node.operation.side in ("both", side):
                numbers[node][side] = count
                count += 1
    return numbers


def _constants(node: Node) -> list[str]:
    return [repr(float(child.value or 0.0)) for child in node.children if child.type in CONSTANTS]


def _labels(operation: Operation) -> str:
    if _reads_labels(operation):
        return ", targets=labels"
    return ", targets=targets" if operation.labels else ""
