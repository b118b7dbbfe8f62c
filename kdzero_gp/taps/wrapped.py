"""Unwraps compiled, data-parallel and sharded networks, whose taps are those inside."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

from kdzero_gp.errors import TapError


def bare(model: nn.Module) -> nn.Module:
    """Gives the network inside `torch.compile`, `DistributedDataParallel` and `DataParallel`."""
    while True:
        if isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
            model = model.module
        elif "_orig_mod" in model._modules:  # torch.compile's wrapper
            model = model.get_submodule("_orig_mod")
        else:
            return model


def uncompiled(model: nn.Module) -> AbstractContextManager[object]:
    """Runs compiled parts of the network eagerly inside the block.

    A compiled graph calls no hooks that were set after it was made, and is made anew for each that was set before.
    """
    if any(_is_compiled(module) for module in model.modules()):
        eager: AbstractContextManager[object] = torch.compiler.set_stance("force_eager")
        return eager
    return nullcontext()


def _is_compiled(module: nn.Module) -> bool:
    in_place = getattr(module, "_compiled_call_impl", None) is not None
    return in_place or hasattr(getattr(module, "forward", None), "_torchdynamo_orig_callable")


def require_readable(model: nn.Module) -> None:
    """Refuses a wrapper whose taps cannot be read correctly.

    Raises:
        TapError: `DataParallel` over several devices, whose copies run at once; the older FSDP, whose modules lose
            their parameters.
    """
    for module in model.modules():
        if isinstance(module, nn.DataParallel) and len(module.device_ids or ()) > 1:
            raise TapError(
                f"The network is in DataParallel over {len(module.device_ids)} devices, whose copies run at once in "
                "threads, so that taps cannot be told apart; use DistributedDataParallel, one process for each device"
            )
        if type(module).__name__ == "FullyShardedDataParallel":
            raise TapError(
                "The network is in FullyShardedDataParallel, which flattens parameters and hides modules; use "
                "torch.distributed.fsdp.fully_shard, or DistributedDataParallel"
            )


def is_sharded(model: nn.Module) -> bool:
    """Tells whether `fully_shard` was applied to a network or to a part of it."""
    return any(_is_sharded_module(module) for module in model.modules())


def shard_again(model: nn.Module) -> None:
    """Shards the parameters again after a pass without a backward pass.

    Until then its outermost parameters are whole ones, and an optimiser that is built would get those.
    """
    for module in model.modules():
        if _is_sharded_module(module):
            module.reshard()  # type: ignore[operator]


def _is_sharded_module(module: nn.Module) -> bool:
    return hasattr(module, "_get_fsdp_state") and hasattr(module, "reshard")
