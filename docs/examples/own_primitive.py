"""Add an operation to the language and draw a distiller that uses it: `python docs/examples/own_primitive.py`."""

from pathlib import Path

import torch
from torch import Tensor

from kdzero_gp import Distiller, Knowledge, Map, parse, transform
from kdzero_gp.drawing.render import svg


@transform(Map, formula=r"x\cdot\overline{|x|}_{C}")
def energy(x: Tensor) -> Tensor:
    """Weights every position by its mean activation; (N, C, H, W) stays (N, C, H, W)."""
    return x * x.abs().mean(1, keepdim=True)


tree = parse("add(weight(1, kl(logits, 4)), weight(5, l2(energy(stage2))))")
Path("energy.svg").write_text(svg(tree), encoding="utf-8")
print("energy.svg:", tree)

student = Knowledge(stage2=torch.randn(8, 4, 6, 6), logits=torch.randn(8, 10))
teacher = Knowledge(stage2=torch.randn(8, 16, 6, 6), logits=torch.randn(8, 10))
distiller = Distiller(tree)
print("loss:", float(distiller(student, teacher, torch.arange(8)).detach()))
for tap, aligner in distiller.aligners.items():
    print(f"{tap}: {aligner}")  # 4 channels against 16: a learned 1x1 convolution makes them comparable
