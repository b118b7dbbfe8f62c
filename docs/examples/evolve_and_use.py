"""Evolve a loss for a pair and use it: `python docs/examples/evolve_and_use.py`."""

import torch

import kdzero_gp

SIZE = {"pop": 10, "gens": 5, "final_seeds": 3}
"""A small search on scikit-learn's digits; a real one takes `pop=20, gens=25` and a pair of your own."""


def knowledge(width: int, scores: int = 10) -> kdzero_gp.Knowledge:
    """What a network knows of 16 images, by the names of its taps; random numbers stand in for a network here."""
    return kdzero_gp.Knowledge(
        stage1=torch.randn(16, width, 8, 8),
        stage2=torch.randn(16, 2 * width, 4, 4),
        stage3=torch.randn(16, 4 * width, 2, 2),
        pool=torch.randn(16, 4 * width),
        logits=torch.randn(16, scores),
    )


result = kdzero_gp.search(seed=0, **SIZE)
for row in result.table:
    print(f"{row.name:20} {100 * row.mean:.2f} ± {100 * row.std:.2f} % of the test images")

distiller = kdzero_gp.load(result.folder / "best.json")
print("the loss:", distiller.tree)

student, teacher, labels = knowledge(width=2), knowledge(width=32), torch.arange(16) % 10
loss = distiller(student, teacher, labels)
print("of one batch:", float(loss.detach()))
for term, value in distiller.terms().items():
    print(f"  {float(value):10.4f} {term}")
