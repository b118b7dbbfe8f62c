"""What tells one set of weights from another."""

import hashlib

import torch
from torch import nn


def weights_digest(model: nn.Module) -> str:
    """16 hex digits of a network's weights and buffers, by their names."""
    digest = hashlib.blake2b(digest_size=8)
    for name, value in model.state_dict().items():
        digest.update(repr((name, tuple(value.shape), str(value.dtype))).encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
