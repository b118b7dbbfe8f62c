"""The outputs of a network for a whole split."""

import torch
from torch import Tensor, nn

from kdzero_gp.data import Dataset, Split, image_batches
from kdzero_gp.knowledge import Knowledge
from kdzero_gp.tasks.kind import Measured


def knowledge_of(task: Measured, student: nn.Module, split: str, names: tuple[str, ...]) -> Knowledge:
    """Reads those of the taps `names` that a student has for a whole split, in evaluation mode, without gradient."""
    student.eval()
    there = [name for name in names if name in task.student_taps]
    with torch.no_grad(), task.reader(student, there) as reader:
        chunks = [reader(chunk) for chunk in task.chunks(split)]
    return Knowledge(**{name: torch.cat([chunk[name] for chunk in chunks]) for name in there})


@torch.no_grad()
def outputs_of(model: nn.Module, data: Dataset, split: Split, *, batch_size: int = 500) -> Tensor:
    """Runs a network in evaluation mode on all images of a split."""
    model.eval()
    device = next(model.parameters()).device
    images = image_batches(data, split, device=device)
    batches = torch.arange(len(split), device=device).split(batch_size)
    images.follow((batch, None) for batch in batches)
    return torch.cat([model(images(batch)) for batch in batches])
