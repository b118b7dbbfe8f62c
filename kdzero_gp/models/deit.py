"""`deit_ti`: the tiny data-efficient image transformer, width 192, depth 12, 3 heads, patches of 16x16.

Touvron et al., "Training data-efficient image transformers", https://arxiv.org/abs/2012.12877. Without the distillation
token: what a student learns from its teacher here is the distiller's affair. Parameter names as in the published code
and timm's `deit_tiny_patch16_224`, so their checkpoints load where the number of classes is the same.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kdzero_gp.models.network import TRANSFORMER_RECIPE, network
from kdzero_gp.models.transformer import STD, Block, drop_path_rates, initialise_transformer

SIZE = (224, 224)
PATCH = 16
WIDTH, DEPTH, HEADS, MLP_RATIO = 192, 12, 3, 4.0
DROP_PATH = 0.1
"""In the last block, as published."""
EPS = 1e-6


class PatchEmbedding(nn.Module):
    """One linear map for every 16x16 patch."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(in_channels, WIDTH, PATCH, PATCH)

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, C, H, W) to tokens (N, H / 16 · W / 16, D)."""
        patches: Tensor = self.proj(images)
        return patches.flatten(2).transpose(1, 2)


@network("deit_ti", size=SIZE, step=PATCH, recipe=TRANSFORMER_RECIPE)
class DeitTiny(nn.Module):
    """Patches and a class token with learned positions, twelve encoder blocks, norm, linear on the class token.

    Args:
        image_size: (H, W) of the images, multiples of 16: the positions belong to it.
    """

    def __init__(self, *, num_classes: int, in_channels: int, image_size: tuple[int, int] = SIZE) -> None:
        super().__init__()
        tokens = 1 + (image_size[0] // PATCH) * (image_size[1] // PATCH)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.pos_embed = nn.Parameter(torch.zeros(1, tokens, WIDTH))
        self.patch_embed = PatchEmbedding(in_channels)
        self.blocks = nn.Sequential(
            *(
                Block(WIDTH, HEADS, mlp_ratio=MLP_RATIO, qkv_bias=True, drop_path=rate, eps=EPS)
                for rate in drop_path_rates(DROP_PATH, DEPTH)
            )
        )
        self.norm = nn.LayerNorm(WIDTH, eps=EPS)
        self.head = nn.Linear(WIDTH, num_classes)
        initialise_transformer(self)
        nn.init.trunc_normal_(self.cls_token, std=STD)
        nn.init.trunc_normal_(self.pos_embed, std=STD)

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, C, H, W) of the size it was built for to class scores (N, K)."""
        patches = self.patch_embed(images)
        tokens = torch.cat((self.cls_token.expand(len(patches), -1, -1), patches), 1) + self.pos_embed
        tokens = self.norm(self.blocks(tokens))
        scores: Tensor = self.head(tokens[:, 0])
        return scores
