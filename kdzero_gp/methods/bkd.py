"""Knowledge distillation where an image may have several classes: Hinton's divergence for each class by itself."""

from kdzero_gp.methods.method import Stages, tree_method


@tree_method("after Hinton, Vinyals, Dean (2015): a sigmoid for each class in place of the softmax, weights of our own")
def bkd(stages: Stages) -> str:
    """1 · τ² · KL of each class' yes and no, averaged over the classes, τ = 1."""
    return "weight(1, sigmoid_kl(logits, 1))"
