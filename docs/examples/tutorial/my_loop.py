"""Trains the student in a loop of one's own by the loss that a search has found: `python my_loop.py BEST.json`."""

import sys

import numpy as np
import torch
from my_pair import big, small
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

import kdzero_gp

torch.manual_seed(0)
stored = np.load("shapes.npz")
images = torch.from_numpy(stored["x"]).permute(0, 3, 1, 2) / 255
labels = torch.from_numpy(stored["y"])
train = DataLoader(TensorDataset(images[:-300], labels[:-300]), batch_size=64, shuffle=True)
EPOCHS = int(sys.argv[2]) if len(sys.argv) > 2 else 10


def accuracy(network: torch.nn.Module) -> float:
    """Of the last 300 pictures, which nothing is trained on here."""
    network.eval()
    with torch.no_grad():
        right = network(images[-300:]).argmax(1) == labels[-300:]
    network.train()
    return float(right.float().mean())


teacher = big(num_classes=5)
optimiser = torch.optim.Adam(teacher.parameters())
for _ in range(EPOCHS):
    for x, y in train:
        optimiser.zero_grad()
        functional.cross_entropy(teacher(x), y).backward()
        optimiser.step()
print(f"teacher: {accuracy(teacher):.1%}")

student = small(num_classes=5)
distil = kdzero_gp.Distillation(student, teacher, sys.argv[1], images[:64])
optimiser = torch.optim.Adam([*student.parameters(), *distil.parameters()], lr=0.01)
for epoch in range(EPOCHS):
    for x, y in train:
        loss: Tensor = distil(x, y)  # runs both networks: cross-entropy and the evolved terms
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    print(f"epoch {epoch + 1}: loss {float(loss.detach()):.3f}, accuracy {accuracy(student):.1%}")
print({term: round(float(value), 4) for term, value in distil.terms().items()})
