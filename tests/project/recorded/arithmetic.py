"""What this machine makes of the operations that a run is built from: `python -m tests.project.recorded.arithmetic`.

A sum of floats depends on its order, and with it on the processor, on torch and on the libraries below. Two machines
that print the same here may be expected to compute the same run to the byte; where they do not, nobody may.
"""

import hashlib
import json

import torch
from torch import Tensor, nn
from torch.nn import functional

STEPS = 6
BATCH = 64


class Network(nn.Module):
    """Convolutions, normalisation, pooling and a classifier, as the students of the digits have them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.second = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.align = nn.Conv2d(2 * width, 8, 1)
        self.classifier = nn.Linear(2 * width, 10)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (B, 10) and a map (B, 8, 4, 4) of images (B, 1, 8, 8)."""
        maps = functional.relu(self.second(functional.relu(self.norm(self.first(images)))))
        return self.classifier(maps.mean((2, 3))), self.align(maps)


def loss_of(student: tuple[Tensor, Tensor], teacher: tuple[Tensor, Tensor], labels: Tensor) -> Tensor:
    """Cross-entropy and one of every kind of term."""
    (scores, maps), (known, wanted) = student, teacher
    soft = functional.kl_div(functional.log_softmax(scores / 4, 1), functional.softmax(known / 4, 1), reduction="sum")
    rows, others = maps.flatten(1), wanted.flatten(1)
    gram = functional.normalize(rows @ rows.T) - functional.normalize(others @ others.T)
    attention = maps.abs().pow(2).mean(1).tanh() - wanted.abs().pow(2).mean(1).tanh()
    products = torch.bmm(maps.flatten(2), wanted.flatten(2).mT)
    kernel = (-torch.cdist(rows, rows).square() / 8).exp().mean() - products.mean()
    local = functional.avg_pool2d(maps, 2).sigmoid() - functional.mish(functional.avg_pool2d(wanted, 2))
    correlation = torch.stack([rows.std(0), rows.mean(0)]).erf() - torch.stack([others.std(0), others.mean(0)]).erf()
    terms = (gram, attention, local, correlation)
    whole = functional.cross_entropy(scores, labels) + soft / len(labels) + kernel
    return whole + torch.stack([term.square().mean() for term in terms]).sum()


def trained(optimiser: str) -> list[Tensor]:
    """Everything that a short training leaves."""
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    student, teacher = Network(2), Network(4).eval()
    images = torch.randn(BATCH, 1, 8, 8, generator=generator)
    labels = torch.randint(10, (BATCH,), generator=generator)
    with torch.no_grad():
        scores, maps = teacher(images)
    known = scores, maps.contiguous(memory_format=torch.channels_last)
    if optimiser == "sgd":
        steps = torch.optim.SGD(student.parameters(), lr=0.1, momentum=0.9, nesterov=True, fused=True)
    else:
        steps = torch.optim.Adam(student.parameters(), lr=0.02, fused=True)
    left = [scores, maps]
    for _ in range(STEPS):
        loss = loss_of(student(images), known, labels)
        steps.zero_grad()
        loss.backward()
        left.append(nn.utils.clip_grad_norm_(student.parameters(), 5.0))
        left.append(loss.detach())
        steps.step()
    return [*left, *student.state_dict().values()]


def stacked() -> list[Tensor]:
    """Several students in one program: grouped convolutions, batched products, their gradients; and singular values."""
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(32, 10, 8, 8, generator=generator)
    weights = torch.randn(20, 2, 3, 3, generator=generator, requires_grad=True)
    maps = functional.conv2d(images, weights, padding=1, groups=5)
    rows = maps.view(32, 5, 4, 64).permute(1, 0, 2, 3).flatten(2)
    loss = torch.baddbmm(torch.zeros(5, 32, 32), rows, rows.transpose(1, 2)).logsumexp(2).mean()
    (gradient,) = torch.autograd.grad(loss, weights)
    values = torch.linalg.svdvals(rows[0].detach())
    return [loss.detach(), gradient, values, rows.double().mean((1, 2)).detach()]


def arithmetic() -> dict[str, str]:
    """Torch's version and a digest of the results, in which everything else shows: build, libraries, processor."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True, warn_only=True)
    digest = hashlib.sha256()
    for tensor in (*trained("sgd"), *trained("adam"), *stacked()):
        digest.update(tensor.detach().contiguous().numpy().tobytes())
    return {"torch": str(torch.__version__).partition("+")[0], "results": digest.hexdigest()}


if __name__ == "__main__":
    print(json.dumps(arithmetic()))
