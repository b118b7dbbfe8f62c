"""One network of a pair as methods see it: frozen head, norms and parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call

from kdzero_gp.errors import TapError
from kdzero_gp.grammar.grammar import SCORES
from kdzero_gp.taps.anatomy import HEAD, Anatomy, find_anatomy
from kdzero_gp.taps.read import NO_POOL, POOL, TapReader
from kdzero_gp.taps.tap import Taps

FEATURES = "features"
"""All parts of a network but its head."""


class Head:
    """A network's classifier, `scores = head(pool)`: gradients flow to its input and never to its weights.

    Its weights are read at every call, so it follows a network that is still trained.

    Attributes:
        module: a linear layer, or a convolution on maps of 1x1.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    @property
    def weight(self) -> Tensor:
        """The weight (K, D), without gradient."""
        return next(self.module.parameters()).detach().flatten(1)

    def __call__(self, pool: Tensor) -> Tensor:
        """Computes scores (N, K) of the vectors (N, D)."""
        frozen = {name: value.detach().to(pool.dtype) for name, value in self.module.named_parameters()}
        taken = pool[:, :, None, None] if isinstance(self.module, nn.Conv2d) else pool
        scores: Tensor = functional_call(self.module, frozen, (taken,))
        return scores.flatten(1)


class Network:
    """The parts of a network that a method may use beside its taps, found on first use.

    Args:
        role: for messages.
        model: the network, which is kept as it is.
        taps: those that the pair shares.
        example: gives a few images as the model takes them.
        anatomy: gives that of another network of the same architecture, where it may be known.
    """

    def __init__(
        self,
        role: Literal["teacher", "student"],
        model: nn.Module,
        taps: Taps,
        example: Callable[[], Tensor],
        anatomy: Callable[[], Anatomy] | None = None,
    ) -> None:
        self.role, self.model, self.taps = role, model, taps
        self._example = example
        self._known = anatomy

    def __str__(self) -> str:
        return f"the {self.role} ({type(self.model).__name__})"

    @cached_property
    def anatomy(self) -> Anatomy:
        """The network's anatomy."""
        return find_anatomy(self.model, self._example(), self.taps) if self._known is None else self._known()

    @cached_property
    def head(self) -> Head:
        """The classifier behind `pool`.

        Raises:
            TapError: `pool` is not the input of a layer that gives the scores.
        """
        tap = self.taps.get(POOL)
        module = self.model.get_submodule(tap.path) if tap is not None and tap.side == "input" else None
        if not isinstance(module, nn.Linear | nn.Conv2d):
            raise TapError(
                f"{self} has no head: its tap `pool` is not the input of a linear layer that gives the scores; set "
                "`pool` by hand to such a place, or leave out the methods that need the classifier"
            )
        head = Head(module)
        with torch.no_grad(), TapReader(self.model, self.taps, (POOL, SCORES)) as reader:
            known = reader(self._example())
            if not torch.allclose(head(known[POOL]), known[SCORES], rtol=1e-3, atol=1e-3):
                raise TapError(
                    f"{self} has no head: something stands between its tap `pool`, a linear layer, and the scores; "
                    "leave out the methods that need the classifier"
                )
        return head

    def norm(self, name: str) -> nn.Module:
        """Gives the normalisation that feeds the ReLU behind the tap `preK`.

        Raises:
            TapError: there is none.
        """
        if name not in self.anatomy.norms:
            why = self.anatomy.missing.get(f"norm of {name}", f"it has no tap `{name}`")
            raise TapError(f"{self} has no normalisation before `{name}`: {why}")
        return self.model.get_submodule(self.anatomy.norms[name])

    def heads(self, name: str) -> int:
        """Gives the number of heads of the attention tap `attnB`."""
        self.places([name])
        return self.anatomy.heads[name]

    def parameters(self, part: str) -> list[nn.Parameter]:
        """Lists the parameters of one part: `stageK` since the stage before, `head` behind the last, `features` others.

        Raises:
            TapError: it has no such part.
        """
        parts = self.anatomy.parts
        if part == FEATURES:
            names = [name for stage, names in parts.items() if stage != HEAD for name in names]
        elif part in parts:
            names = list(parts[part])
        else:
            raise TapError(f"{self} has no part `{part}`; it has {', '.join(parts)} and {FEATURES}")
        own = dict(self.model.named_parameters())
        return [own[name] for name in names]

    def places(self, names: Iterable[str]) -> Taps:
        """Gives the taps, together with those that these names need beside them.

        Raises:
            TapError: it has none of that name; says why.
        """
        wanted = [name for name in names if name not in self.taps]
        extra = []
        for name in dict.fromkeys(wanted):
            if name not in self.anatomy.extra:
                known = ", ".join((*self.taps, *self.anatomy.extra))
                why = self.anatomy.missing.get(name, NO_POOL if name == POOL else f"it has {known}")
                raise TapError(f"{self} has no tap `{name}`: {why}")
            extra.append((name, self.anatomy.extra[name]))
        return Taps((*self.taps.places, *extra)) if extra else self.taps
