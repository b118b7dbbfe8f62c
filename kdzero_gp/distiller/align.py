"""The learned bridge between a student's tap and a teacher's of another shape."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from kdzero_gp.errors import TapError

Size = tuple[int, int]


def class_mismatch(student: tuple[int, ...], teacher: tuple[int, ...]) -> TapError:
    """Gives the error for logits (N, K) of different class counts, which no aligner may bridge."""
    return TapError(
        f"the student has {student[1]} classes and the teacher {teacher[1]}; distillation between logits "
        "needs the same classes: build both networks for one data set"
    )


def _pooled(x: Tensor, size: Size | None) -> Tensor:
    return x if size is None or tuple(x.shape[2:]) == size else functional.adaptive_avg_pool2d(x, size)


class Aligner(nn.Module):
    """Brings the two sides of one tap to a common shape.

    Channels (features) become the teacher's by a learned 1x1 convolution (linear map) on the student's side. Maps of
    different resolution meet at the smaller one, the larger side being average-pooled, be it student or teacher.
    The aligner trains with the student and is thrown away with the teacher.

    Args:
        tap: name, for messages.
        student, teacher: shapes, the batch included: (N, C, H, W), (N, R, D) or (N, D).
        seed: of the initial weights, together with the tap: aligners of one seed are equal wherever they stand.
        learned: whether channels are mapped; without it only resolutions meet.

    Raises:
        TapError: the shapes cannot be bridged.
    """

    def __init__(
        self, tap: str, student: tuple[int, ...], teacher: tuple[int, ...], seed: int, learned: bool = True
    ) -> None:
        super().__init__()
        if len(student) != len(teacher):
            raise TapError(f"tap `{tap}` has shape {student} in the student and {teacher} in the teacher")
        if learned and len(student) == 3 and student[1] != teacher[1]:
            raise TapError(f"tap `{tap}` has {student[1]} rows in the student and {teacher[1]} in the teacher")
        self.size = (min(student[2], teacher[2]), min(student[3], teacher[3])) if len(student) == 4 else None
        channel = 2 if len(student) == 3 else 1
        inputs, outputs = student[channel], teacher[channel]
        self.weight: nn.Parameter | None = None
        if learned and inputs != outputs:
            own = (seed + int.from_bytes(tap.encode(), "big")) % 2**63
            generator = torch.Generator().manual_seed(own)
            weight = torch.randn(outputs, inputs, generator=generator) / math.sqrt(inputs)
            self.weight = nn.Parameter(weight)
            self.bias = nn.Parameter(torch.zeros(outputs))

    def student(self, x: Tensor, mapped: bool = True, size: Size | None = None) -> Tensor:
        """Gives the student's tensor in the common shape, or with its own channels in the common resolution.

        Args:
            x: (N, C, H, W), (N, R, D) or (N, D).
            mapped: whether channels are mapped.
            size: the common resolution (H, W) where images are of another size than those it was made for.
        """
        x = _pooled(x, size or self.size)
        if self.weight is None or not mapped:
            return x
        weight, bias = self.weight.to(x.dtype), self.bias.to(x.dtype)
        if x.dim() == 4:  # the 1x1 convolution as one matrix product, which is up to twice as fast on small maps
            return functional.linear(x.permute(0, 2, 3, 1), weight, bias).permute(0, 3, 1, 2)
        return functional.linear(x, weight, bias)

    def teacher(self, x: Tensor, size: Size | None = None) -> Tensor:
        """Gives the teacher's tensor in the common shape."""
        return _pooled(x, size or self.size)

    def extra_repr(self) -> str:
        """Gives the learned map and the common resolution, for printing."""
        learned = "" if self.weight is None else f"{self.weight.shape[1]} -> {self.weight.shape[0]}"
        return f"{learned}{f' at {self.size}' if self.size else ''}"
