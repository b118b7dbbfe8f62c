"""Use a distiller in a training loop of your own: `python docs/examples/own_loop.py`.

Only the three lines with `distil` differ from a loop without a teacher.
"""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

import kdzero_gp

EPOCHS = 10
DISTILLER = "add(weight(1, kl(logits, 4)), weight(1, pearson(pool)))"
"""A text form; the path of a best.json, or a method's name such as `dkd`, goes as well."""


def network(width: int) -> nn.Sequential:
    """A small convolutional classifier of 8 x 8 images."""
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(1, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()),
        nn.Sequential(nn.Conv2d(width, 2 * width, 3, 2, padding=1), nn.BatchNorm2d(2 * width), nn.ReLU()),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(2 * width, 10),
    )


def accuracy(model: nn.Module) -> float:
    """Of the last 397 digits, which nothing is trained on."""
    model.eval()
    with torch.no_grad():
        right = model(images[1400:]).argmax(1) == labels[1400:]
    model.train()
    return float(right.float().mean())


torch.manual_seed(0)
digits = load_digits()
images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
labels = torch.tensor(digits.target)
loader = DataLoader(TensorDataset(images[:1400], labels[:1400]), batch_size=64, shuffle=True)

teacher = network(width=24)
optimiser = torch.optim.Adam(teacher.parameters(), lr=0.01)
for _ in range(EPOCHS):
    for x, y in loader:
        optimiser.zero_grad()
        functional.cross_entropy(teacher(x), y).backward()
        optimiser.step()
print(f"teacher: {accuracy(teacher):.1%}")

student = network(width=8)
distil = kdzero_gp.Distillation(student, teacher, DISTILLER, images[:64])
optimiser = torch.optim.Adam([*student.parameters(), *distil.parameters()], lr=0.01)
for epoch in range(EPOCHS):
    for x, y in loader:
        loss = distil(x, y)  # runs both networks: cross-entropy and the distiller's terms
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    print(f"epoch {epoch + 1}: loss {float(loss.detach()):.3f}, accuracy {accuracy(student):.1%}")
