"""The taps of a network: the places where its tensors are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from kdzero_gp.grammar.types import Logits, Map, Rows, Vector

Role = Literal["map", "rows", "vector", "scores", "dense_scores", "region_scores"]
"""What a tap's tensor is: a feature map (N, C, H, W); several vectors (N, R, D) of each image, or one, (N, D); its
class scores (N, K); class scores of every place, (N, K, H, W); or class scores of R anchors or regions of each image,
(N·R, K)."""

TYPES: Final[dict[Role, type]] = {
    "map": Map,
    "rows": Rows,
    "vector": Vector,
    "scores": Logits,
    "dense_scores": Map,
    "region_scores": Logits,
}
"""The type that distillers give a tap of each role; class scores of every place are a map like any other."""

Layout = Literal["map", "tokens", "channels_last"]
"""How a module hands a feature map over: (N, C, H, W); tokens (N, P + H·W, C), the first P of them no places of the
image; or (N, H, W, C)."""


@dataclass(frozen=True)
class Tap:
    """One place in a network.

    Attributes:
        path: dotted module path, as in `model.named_modules()`; "" is the model itself.
        shape: of the tensor as it is handed over, without N: (C, H, W), (D,) or (K,).
        role: what the tensor is.
        side: whether the module's output or its first input is read.
        call: which call of the module within one forward pass, from 0: one ReLU may serve several places.
        clone: the model overwrites the tensor in place later on, so a copy is taken at once.
        layout: of a map, as the module gives it.
        prefix: P, the class token and others that come before the places of the image.
        why: it was chosen, for people.
    """

    path: str
    shape: tuple[int, ...]
    role: Role
    side: Literal["output", "input"] = "output"
    call: int = 0
    clone: bool = False
    layout: Layout = "map"
    prefix: int = 0
    why: str = field(default="", compare=False)

    def __str__(self) -> str:
        place = self.path or "the model"
        nth = f" (call {self.call + 1})" if self.call else ""
        form = {"map": "", "tokens": " (tokens)", "channels_last": " (channels last)"}[self.layout]
        return f"{'input of ' if self.side == 'input' else ''}{place}{nth}{form}"


@dataclass(frozen=True)
class Taps(Mapping[str, Tap]):
    """The taps of one network by name: feature maps from the first to the last, then vectors, then class scores."""

    places: tuple[tuple[str, Tap], ...]

    def __getitem__(self, name: str) -> Tap:
        for key, tap in self.places:
            if key == name:
                return tap
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (key for key, _ in self.places)

    def __len__(self) -> int:
        return len(self.places)

    @property
    def stages(self) -> tuple[str, ...]:
        """The names of the feature-map taps."""
        return self.of_role("map")

    def of_role(self, role: Role) -> tuple[str, ...]:
        """Gives the names of the taps that have a role, in order."""
        return tuple(name for name, tap in self.places if tap.role == role)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every tap without N."""
        return {name: tap.shape for name, tap in self.items()}
