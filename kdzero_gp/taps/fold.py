"""Folds tokens of transformers and channels-last maps to (N, C, H, W)."""

from __future__ import annotations

from torch import Tensor, nn

from kdzero_gp.errors import TapError
from kdzero_gp.taps.tap import Tap

MOST_PREFIX = 8
"""Tokens before those of the image: a class token, a distillation token, a few registers."""

Size = tuple[int, int]


def folded(value: Tensor, tap: Tap, image: Size | None = None) -> Tensor:
    """Views a stage's output as (N, C, H, W), without class token.

    Args:
        value: (N, C, H, W), (N, P + H·W, C) or (N, H, W, C), as `tap.layout` says.
        image: (H, W) of the images, which may be of another size than those that the taps were found by.

    Raises:
        TapError: the tokens lie on no grid.
    """
    if tap.layout == "tokens":
        tokens = value[:, tap.prefix :].transpose(1, 2)
        grid = tap.shape[1], tap.shape[2]
        if tokens.shape[2] != grid[0] * grid[1]:
            found = token_grid(tokens.shape[2], image, 0) if image is not None else None
            if found is None or found[0]:
                raise TapError(
                    f"The {tokens.shape[2]} tokens of {tap} lie on no grid of an image {image}; the taps were found "
                    f"with {grid[0]}x{grid[1]} of them"
                )
            grid = found[1]
        maps: Tensor = tokens.unflatten(2, grid)
        return maps
    if tap.layout == "channels_last":
        return value.permute(0, 3, 1, 2)
    return value


def token_grid(tokens: int, image: Size, prefix: int | None = None) -> tuple[int, Size] | None:
    """Finds how many of `tokens` precede those of the image, and the grid (H, W) of the others.

    The grid has the proportions of the image, or else is square; of several numbers of other tokens the smallest is
    taken. None: there is no such grid.

    Args:
        tokens: L.
        image: (H, W).
        prefix: the number of other tokens where the network tells it.
    """
    befores = list(range(min(MOST_PREFIX, tokens - 1) + 1))
    if prefix is not None and prefix < tokens:
        # Some networks add the tokens they tell of only behind their other blocks.
        return _grid(tokens, image, [prefix]) or _grid(tokens, image, befores)
    return _grid(tokens, image, befores)


def _grid(tokens: int, image: Size, befores: list[int]) -> tuple[int, Size] | None:
    for before in befores:
        for height in range(1, tokens - before + 1):
            if height * height * image[1] == (tokens - before) * image[0]:  # H / W as in the image, H · W places
                return before, (height, (tokens - before) // height)
    for before in befores:
        side = round(max(tokens - before, 0) ** 0.5)
        if side and side * side == tokens - before:
            return before, (side, side)
    return None


def stated_prefix(model: nn.Module) -> int | None:
    """Reads the number of tokens before those of the image where the network states it, as timm's do."""
    stated = getattr(model, "num_prefix_tokens", None)
    return stated if isinstance(stated, int) else None
