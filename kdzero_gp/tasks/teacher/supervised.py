"""Plain supervised training of one network, such as a teacher."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from kdzero_gp.data import Dataset, image_batches
from kdzero_gp.errors import ModelError
from kdzero_gp.randomness import seeded
from kdzero_gp.tasks.recipe import Recipe


def train_supervised(
    model: nn.Module,
    dataset: Dataset,
    recipe: Recipe,
    loss_of: Callable[[Tensor, Tensor], Tensor],
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
    after_epoch: Callable[[int], None] | None = None,
) -> nn.Module:
    """Trains `model` in place on the training split.

    The same model, data, recipe and seed give the same weights on one machine with one number of threads.
    Torch's global random state is left as it was.

    Args:
        loss_of: the loss of a batch, a scalar, from what the model gives and the targets.
        after_epoch: told how many epochs are done, after each.

    Returns:
        The model, on `device`, in evaluation mode.

    Raises:
        ModelError: the loss became NaN or infinite.
    """
    model.to(device).train()
    images, targets = image_batches(dataset, dataset.train, device=device), dataset.train.labels.to(device)
    order = torch.Generator().manual_seed(seed)
    per_epoch = recipe.steps_per_epoch(len(targets))
    rates = iter(recipe.learning_rates(recipe.epochs * per_epoch))
    optimiser = recipe.make_optimiser(model.parameters())
    with seeded(seed, device), torch.enable_grad():
        for epoch in range(recipe.epochs):
            shuffled = torch.randperm(len(targets), generator=order).to(device)
            batches = shuffled.split(recipe.batch_size)[:per_epoch]
            images.follow((batch, None) for batch in batches)
            for batch in batches:
                optimiser.param_groups[0]["lr"] = next(rates)
                loss = loss_of(model(images(batch)), targets[batch])
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
            if not torch.isfinite(loss):
                raise ModelError(
                    f"Training {type(model).__name__} diverged in epoch {epoch + 1}: the loss is {loss.item()}; "
                    f"lower the learning rate, which is {recipe.lr}"
                )
            if after_epoch is not None:
                after_epoch(epoch + 1)
    return model.eval()
