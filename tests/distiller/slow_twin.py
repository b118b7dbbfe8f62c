"""A distiller evaluated in the plainest way: recursion over the tree, both sides apart, nothing shared."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from kdzero_gp import Knowledge, Tree
from kdzero_gp.grammar.tree import Node

Weights = dict[str, tuple[Tensor, Tensor] | None]


def knowledge(
    seed: int,
    *,
    batch: int = 5,
    channels: tuple[int, int, int] = (3, 4, 6),
    sizes: tuple[int, int, int] = (8, 4, 4),
    width: int = 6,
    classes: int = 7,
    scale: float = 1.0,
    dtype: torch.dtype = torch.float32,
    grad: bool = False,
) -> Knowledge:
    """Random taps."""
    generator = torch.Generator().manual_seed(seed)

    def tensor(*shape: int) -> Tensor:
        return (torch.randn(shape, generator=generator) * scale).to(dtype).requires_grad_(grad)

    taps = {f"stage{i}": tensor(batch, c, s, s) for i, (c, s) in enumerate(zip(channels, sizes, strict=True), 1)}
    return Knowledge(**taps, pool=tensor(batch, width), logits=tensor(batch, classes))


def targets(batch: int = 5, classes: int = 7) -> Tensor:
    return torch.arange(batch) % classes


class SlowTwin:
    """`SlowTwin(tree)(student, teacher, targets)` gives the loss that `Distiller(tree)` must give at its first call."""

    def __init__(self, tree: Tree, weights: Weights | None = None, seed: int = 0) -> None:
        self.root = tree.canonical().root
        self.weights = weights
        self.seed = seed
        self.draws = self._draws()
        self.places = self._places()

    def __call__(self, student: Knowledge, teacher: Knowledge, labels: Tensor) -> Tensor:
        self.student, self.teacher, self.labels = student, teacher.detach(), labels
        if self.weights is None:
            self.weights = self._initial_weights()
        return self.loss(self.root)

    def loss(self, node: Node) -> Tensor:
        if node.symbol == "add":
            return self.loss(node.children[0]) + self.loss(node.children[1])
        value, distance = node.children
        assert value.value is not None
        return value.value * self.distance(distance).mean()

    def distance(self, node: Node) -> Tensor:
        assert node.operation is not None
        if node.kind == "weight":
            options = {"targets": self.labels} if node.operation.labels else {}
            u = node.operation.function(self.student["logits"], self.teacher["logits"], **options).detach()
            if node.operation.normalise:
                u = u / u.mean() if u.sum() > 0 else torch.ones_like(u)
            return self.distance(node.children[0]) * u
        argument = node.children[0]
        constants = [child.value for child in node.children[1:]]
        s, t = self.pair(argument, node.operation.ragged)
        options = {"targets": self.labels} if node.operation.labels else {}
        result: Tensor = node.operation.function(s, t, *constants, **options)
        return result

    def pair(self, argument: Node, ragged: bool) -> tuple[Tensor, Tensor]:
        level = self.level(argument, ragged)
        return self.side(argument, "student", level), self.side(argument, "teacher", level).detach()

    def level(self, argument: Node, ragged: bool) -> str:
        """The least that makes the two sides comparable: nothing, one resolution, or the channels mapped as well."""
        for level in ("plain", "pooled"):
            s, t = (list(self.side(argument, side, level).shape) for side in ("student", "teacher"))
            if ragged:
                del s[1], t[1]
            if s == t:
                return level
        return "mapped"

    def side(self, node: Node, side: str, level: str) -> Tensor:
        if node.kind == "tap":
            x = (self.student if side == "student" else self.teacher)[node.symbol]
            x = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
            return x if level == "plain" else self.aligned(node.symbol, side, x, level)
        assert node.operation is not None
        inputs = [self.side(c, side, level) for c in node.children if c.kind != "constant"]
        if node.operation.side not in ("both", side):
            return inputs[0]
        constants = [c.value for c in node.children if c.kind == "constant"]
        options = {}
        if node.operation.random:
            number = (self.seed * 1_000_003 + 1 * 8_191 + self.draws[node.text]) % 2**63
            options["generator"] = torch.Generator().manual_seed(number)
        function = node.operation.function
        if node.operation.learned:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(self.seed + self.places[node.text, side])
                shapes = [x.shape for x in inputs]
                if node.operation.bridges:
                    shapes.append(self.side(node.children[0], "teacher", level).shape)
                function = function(*shapes)
        result: Tensor = function(*inputs, *constants, **options)
        return result

    def aligned(self, tap: str, side: str, x: Tensor, level: str) -> Tensor:
        other = (self.teacher if side == "student" else self.student)[tap]
        if x.dim() == 4:
            size = [min(a, b) for a, b in zip(x.shape[2:], other.shape[2:], strict=True)]
            if list(x.shape[2:]) != size:
                x = F.adaptive_avg_pool2d(x, size)
        if side == "teacher" or level == "pooled":
            return x
        assert self.weights is not None
        learned = self.weights.get(tap)
        if learned is None:
            return x
        weight, bias = (part.to(x.dtype) for part in learned)
        mapped = torch.einsum("oi,ni...->no...", weight, x)
        return mapped + bias.view(1, -1, *[1] * (x.dim() - 2))

    def _initial_weights(self) -> Weights:
        """Aligner weights, each from its tap's own seed, for taps of differing shape below a differing argument."""
        bridged: set[str] = set()
        for node in self.root.walk():
            if node.kind == "distance":
                assert node.operation is not None
                argument = node.children[0]
                if self.level(argument, node.operation.ragged) == "mapped":
                    bridged |= set(argument.taps())
        weights: Weights = {}
        for tap in sorted(bridged):
            generator = torch.Generator().manual_seed((self.seed + int.from_bytes(tap.encode(), "big")) % 2**63)
            outputs, inputs = self.teacher[tap].shape[1], self.student[tap].shape[1]
            if outputs != inputs:
                weight = torch.randn(outputs, inputs, generator=generator) / math.sqrt(inputs)
                weights[tap] = (weight, torch.zeros(outputs))
        return weights

    def _places(self) -> dict[tuple[str, str], int]:
        """The number of every learned operation on every side that it touches, which its initial weights hang on."""
        places: dict[tuple[str, str], int] = {}
        arguments = [node.children[0] for node in self.root.walk() if node.kind == "distance"]
        for node in (node for argument in arguments for node in argument.walk()):
            for side in ("student", "teacher"):
                if node.operation is not None and node.operation.learned and node.operation.side in ("both", side):
                    places.setdefault((node.text, side), len(places))
        return places

    def _draws(self) -> dict[str, int]:
        numbers: dict[str, int] = {}

        def visit(node: Node) -> None:
            for child in node.children:
                visit(child)
            if node.operation is not None and node.operation.random:
                numbers.setdefault(node.text, len(numbers))

        visit(self.root)
        return numbers
