"""What decides a teacher's outputs to the last bit, as one digest."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import nn


def teacher_identity(teacher: nn.Module, device: torch.device, parts: Sequence[object]) -> str:
    """SHA-256, 64 hex digits, of the teacher, of what it is computed by and of `parts`.

    The teacher's code is not among it: a changed one is found out by its outputs (see `TeacherCache`).

    Args:
        parts: what else decides: data, augmentation, layout, chunk size. Their texts count.
    """
    digest = hashlib.sha256()
    machine = torch.cuda.get_device_name(device) if device.type == "cuda" else torch.backends.cpu.get_cpu_capability()
    # Another number of threads may add in another order.
    computed_by = [torch.__version__, device.type, machine, torch.get_num_threads()]
    digest.update(repr([*computed_by, type(teacher).__qualname__, str(teacher), *parts]).encode())
    for name, value in teacher.state_dict().items():
        digest.update(repr((name, tuple(value.shape), str(value.dtype))).encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
