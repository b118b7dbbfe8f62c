"""What one network knows about one batch: named tensors."""

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor

from kdzero_gp.errors import TapError


class Knowledge(Mapping[str, Tensor]):
    """The tapped tensors of one network for one batch, by tap name.

    A network that ends in class scores has feature maps (N, C, H, W) by the names `stage1 … stageK`, the penultimate
    vector (N, D) and the scores (N, K). Other names are allowed; the grammar decides which it understands.

    Raises:
        TapError: a value is no tensor, has fewer than two dimensions, or batch sizes differ.
    """

    __slots__ = ("_taps",)

    def __init__(self, **taps: Tensor) -> None:
        batch: int | None = None
        for name, value in taps.items():
            if not isinstance(value, Tensor):
                raise TapError(f"tap `{name}` is a {type(value).__name__}, but every tap must be a torch tensor")
            if value.dim() < 2:
                raise TapError(f"tap `{name}` has shape {tuple(value.shape)}, but must have at least two dimensions")
            if batch is not None and value.shape[0] != batch:
                raise TapError(f"tap `{name}` holds {value.shape[0]} samples, the taps before it {batch}")
            batch = value.shape[0]
        self._taps = dict(taps)

    def __getitem__(self, name: str) -> Tensor:
        try:
            return self._taps[name]
        except KeyError:
            raise TapError(f"no tap `{name}` here; this knowledge has {', '.join(self._taps) or 'none'}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._taps)

    def __len__(self) -> int:
        return len(self._taps)

    def __contains__(self, name: object) -> bool:
        return name in self._taps

    def map(self, function: Callable[[Tensor], Tensor]) -> "Knowledge":
        """Applies `function` to the tensor of every tap."""
        return Knowledge(**{name: function(value) for name, value in self._taps.items()})

    def detach(self) -> "Knowledge":
        """Detaches every tensor from its graph."""
        return self.map(lambda tensor: tensor.detach())

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every tap, the batch included."""
        return {name: tuple(value.shape) for name, value in self._taps.items()}

    def __repr__(self) -> str:
        inner = ", ".join(f"{name}={shape}" for name, shape in self.shapes().items())
        return f"Knowledge({inner})"


def unhalved(x: Tensor) -> Tensor:
    """Gives a half-precision tensor as float32, any other as it is."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
