"""Knowledge distillation: Hinton, Vinyals, Dean: Distilling the Knowledge in a Neural Network (2015)."""

from kdzero_gp.methods.method import Stages, tree_method


@tree_method("Hinton, Vinyals, Dean: Distilling the Knowledge in a Neural Network (2015)", ce_weight=0.1)
def kd(stages: Stages) -> str:
    """0.9 · τ² · KL of the logits, τ = 4."""
    return "weight(0.9, kl(logits, 4))"
