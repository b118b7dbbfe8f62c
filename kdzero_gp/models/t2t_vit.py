"""`t2t_vit_7`: tokens-to-token vision transformer, width 256, depth 7, 4 heads, MLP ratio 2, token width 64.

Yuan et al., "Tokens-to-Token ViT", https://arxiv.org/abs/2101.11986. Parameter names and shapes as in the published
code (https://github.com/yitu-opensource/T2T-ViT, `models/t2t_vit.py`, the performer variant); what never learns
(positions, random features) is a buffer here, under the same name.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kdzero_gp.models.network import TRANSFORMER_RECIPE, network
from kdzero_gp.models.performer import TokenPerformer
from kdzero_gp.models.transformer import STD, Block, drop_path_rates, initialise_transformer

SIZE = (224, 224)
STRIDE = 16  # of the three splits together
TOKEN = 64
WIDTH, DEPTH, HEADS, MLP_RATIO = 256, 7, 4, 2.0
DROP_PATH = 0.1
"""In the last block; the published code leaves it to the training command."""
EPS = 1e-5


class TokensToToken(nn.Module):
    """Three overlapping splits into patches, attention among the tokens after the first and the second."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.soft_split0 = nn.Unfold(7, stride=4, padding=2)
        self.soft_split1 = nn.Unfold(3, stride=2, padding=1)
        self.soft_split2 = nn.Unfold(3, stride=2, padding=1)
        self.attention1 = TokenPerformer(7 * 7 * in_channels, TOKEN)
        self.attention2 = TokenPerformer(3 * 3 * TOKEN, TOKEN)
        self.project = nn.Linear(3 * 3 * TOKEN, WIDTH)

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, C, H, W) to tokens (N, H / 16 · W / 16, D)."""
        height, width = images.shape[2] // 4, images.shape[3] // 4
        tokens = self.attention1(self.soft_split0(images).transpose(1, 2))
        maps = tokens.transpose(1, 2).unflatten(2, (height, width))
        tokens = self.attention2(self.soft_split1(maps).transpose(1, 2))
        maps = tokens.transpose(1, 2).unflatten(2, (height // 2, width // 2))
        result: Tensor = self.project(self.soft_split2(maps).transpose(1, 2))
        return result


@network("t2t_vit_7", size=SIZE, step=STRIDE, recipe=TRANSFORMER_RECIPE)
class T2tVit7(nn.Module):
    """Tokens and a class token at fixed sinusoidal positions, seven encoder blocks, norm, linear on the class token.

    Args:
        image_size: (H, W) of the images, multiples of 16: the positions belong to it.
    """

    pos_embed: Tensor

    def __init__(self, *, num_classes: int, in_channels: int, image_size: tuple[int, int] = SIZE) -> None:
        super().__init__()
        self.tokens_to_token = TokensToToken(in_channels)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        tokens = 1 + (image_size[0] // STRIDE) * (image_size[1] // STRIDE)
        self.register_buffer("pos_embed", _sinusoids(tokens, WIDTH))
        self.blocks = nn.ModuleList(
            Block(WIDTH, HEADS, mlp_ratio=MLP_RATIO, qkv_bias=False, drop_path=rate, eps=EPS)
            for rate in drop_path_rates(DROP_PATH, DEPTH)
        )
        self.norm = nn.LayerNorm(WIDTH, eps=EPS)
        self.head = nn.Linear(WIDTH, num_classes)
        initialise_transformer(self)
        nn.init.trunc_normal_(self.cls_token, std=STD)

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, C, H, W) of the size it was built for to class scores (N, K)."""
        patches = self.tokens_to_token(images)
        tokens = torch.cat((self.cls_token.expand(len(patches), -1, -1), patches), 1) + self.pos_embed
        for block in self.blocks:
            tokens = block(tokens)
        scores: Tensor = self.head(self.norm(tokens)[:, 0])
        return scores


def _sinusoids(positions: int, width: int) -> Tensor:
    """(1, positions, width): sine and cosine of the position at geometric wavelengths, taking turns."""
    units = torch.arange(width, dtype=torch.float64)
    angles = torch.arange(positions, dtype=torch.float64).unsqueeze(1) / 10_000 ** (2 * (units // 2) / width)
    return torch.where(units % 2 == 0, angles.sin(), angles.cos()).float().unsqueeze(0)
