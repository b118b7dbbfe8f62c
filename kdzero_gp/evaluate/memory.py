"""Whether a failure is want of memory."""

import torch


def out_of_memory(error: BaseException | None) -> bool:
    """Whether memory ran out, be it under an error that names the operation.

    Torch's allocator for the CPU reports it by an ordinary RuntimeError.
    """
    if error is None:
        return False
    exhausted = isinstance(error, MemoryError | torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)
    return exhausted or out_of_memory(error.__cause__)
