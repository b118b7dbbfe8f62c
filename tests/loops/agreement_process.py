"""One of two processes that train a student together: prints how far apart their parameters are at the end."""

import sys

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from kdzero_gp import Distillation


class Net(nn.Module):
    """Two stages, 16x16 and 8x8."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.a = nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.ReLU())
        self.b = nn.Sequential(nn.Conv2d(width, 2 * width, 3, 2, 1), nn.ReLU())
        self.fc = nn.Linear(2 * width, 5)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.fc(self.b(self.a(x)).mean((2, 3)))
        return scores


def train(way: str, ranks: list[int], steps: int = 3) -> tuple[Tensor, Tensor]:
    """The student's first weights and the aligner's after some steps on the images of these ranks."""
    torch.manual_seed(0)
    student, teacher = Net(4), Net(8)
    images = torch.randn(2, 8, 3, 16, 16, generator=torch.Generator().manual_seed(1))[ranks].flatten(0, 1)
    labels = (torch.arange(8) % 5).repeat(len(ranks))
    wrapped: nn.Module = student
    if way == "ddp":
        wrapped = DistributedDataParallel(student)
    elif way == "fsdp2":
        for part in (student.a, student.b):
            fully_shard(part, mesh=init_device_mesh("cpu", (2,)))
        fully_shard(student, mesh=init_device_mesh("cpu", (2,)))
    distil = Distillation(wrapped, teacher, "add(weight(1, l2(stage2)), weight(1, kl(logits, 4)))", images)
    optimiser = torch.optim.SGD([*wrapped.parameters(), *distil.parameters()], lr=0.1)
    for _ in range(steps):
        optimiser.zero_grad()
        for half in (slice(0, None, 2), slice(1, None, 2)):  # gradients of two passes add up
            (distil(images[half], labels[half]) / 2).backward()
        optimiser.step()
    weight = student.a[0].weight
    whole = weight.full_tensor() if hasattr(weight, "full_tensor") else weight
    return whole.detach(), next(distil.parameters()).detach()


def main(way: str) -> None:
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    together = train(way, [rank])
    gaps = []
    for tensor in together:
        both = [torch.empty_like(tensor) for _ in range(2)]
        dist.all_gather(both, tensor.contiguous())
        gaps.append(float((both[0] - both[1]).abs().max()))
    if rank == 0:
        alone = train("alone", [0, 1])
        far = max(float((one - two).abs().max()) for one, two in zip(together, alone, strict=True))
        print(f"RESULT {gaps[0]} {gaps[1]} {far}", flush=True)
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1])
