"""A sample weighting of your own: name this file by `--primitives`, or put it into the folder primitives/weights/."""

import torch
from torch import Tensor

from kdzero_gp import weight


@weight(labels=True, formula=r"u=p_T[y]")
def w_right(student: Tensor, teacher: Tensor, *, targets: Tensor) -> Tensor:
    """p_T[y], how sure the teacher is of the true class, (N,) in [0, 1]. `targets`: (N,) int64."""
    return torch.softmax(teacher, 1).gather(1, targets.unsqueeze(1)).squeeze(1)
