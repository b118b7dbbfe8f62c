"""Relational distillation: Park et al.: Relational Knowledge Distillation (CVPR 2019)."""

from kdzero_gp.methods.method import Stages, sum_of, tree_method


@tree_method("Park et al.: Relational Knowledge Distillation (CVPR 2019)")
def rkd(stages: Stages) -> str:
    """25 · Huber of the relative distances + 50 · Huber of the angles between the samples' pooled features."""
    return sum_of(["weight(25, smooth_l1(pdist(pool)))", "weight(50, smooth_l1(angles(pool)))"])
