"""A hand-designed method as a tree, for kdzero_gp/methods/: regression of the teacher's class scores."""

from kdzero_gp.methods.method import Stages, tree_method


@tree_method("Ba, Caruana: Do Deep Nets Really Need to be Deep? (NIPS 2014)", ce_weight=0.0)
def regress(stages: Stages, *, alpha: float = 1.0) -> str:
    """α · MSE of the class scores, in place of the cross-entropy with the labels; the paper gives no weight."""
    return f"weight({alpha:g}, l2(logits))"
