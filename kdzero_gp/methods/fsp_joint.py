"""FSP beside the labels: Yim et al.: A Gift from Knowledge Distillation (CVPR 2017)."""

from itertools import pairwise

from kdzero_gp.methods.method import Stages, sum_of, tree_method


@tree_method("Yim et al.: A Gift from Knowledge Distillation (CVPR 2017), in one phase", needs_stages=True)
def fsp_joint(stages: Stages, *, weight: float = 50.0) -> str:
    """50 · MSE of the flow between each stage and the next, beside the cross-entropy in one phase.

    The weight is RepDistiller's, where it multiplies a constant 0: its figures are those of `fsp`. Flows of other
    channels meet behind a learned aligner; a pair with one stage has the flow of that stage into itself.
    """
    flows = list(pairwise(stages)) or [(stages[0], stages[0])]
    return sum_of([f"weight({weight:g}, l2(fsp({one}, {following})))" for one, following in flows])
