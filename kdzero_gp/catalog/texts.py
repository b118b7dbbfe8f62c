"""The text forms of the hand-designed distillers, for the names of a pair's stages.

Weights and constants are those published for CIFAR-100 and stand for use without calibration. Every distance averages
over the batch and over its own positions, as the authors' code and RepDistiller do, so no weight depends on a batch's
size.
"""

from collections.abc import Sequence

Stages = Sequence[str]


def _sum(terms: Sequence[str]) -> str:
    text, *rest = terms
    for term in rest:
        text = f"add({text}, {term})"
    return text


def kd(stages: Stages) -> str:
    """0.9 · τ² · KL of the logits, τ = 4."""
    return "weight(0.9, kl(logits, 4))"


def fitnet(stages: Stages) -> str:
    """100 · MSE of the second stage behind a learned regressor, trained along with the rest, not in a stage before."""
    return f"weight(100, l2(hint({stages[min(1, len(stages) - 1)]})))"


def at(stages: Stages) -> str:
    """1000 · MSE of the attention maps, each of norm 1, summed over the stages."""
    return _sum([f"weight(1000, l2(norm_hw(satt_map({stage}))))" for stage in stages])


def nst(stages: Stages) -> str:
    """50 · squared MMD of the channels, each of norm 1 over its positions, summed over the stages."""
    return _sum([f"weight(50, mmd(norm_hw({stage})))" for stage in stages])


def sp(stages: Stages) -> str:
    """3000 · MSE of the last stage's sample-by-sample Gram matrices, their rows of norm 1."""
    return f"weight(3000, l2(norm_c(mm({stages[-1]}))))"


def rkd(stages: Stages) -> str:
    """25 · Huber of the relative distances + 50 · Huber of the angles between the samples' pooled features."""
    return _sum(["weight(25, smooth_l1(pdist(pool)))", "weight(50, smooth_l1(angles(pool)))"])


def pkt(stages: Stages) -> str:
    """30000 · the mean of the pointwise KL of the affinities (1 + cos)/2 between pooled features."""
    return "weight(30000, affinity_kl(scale(cosines(pool))))"


def dist(stages: Stages) -> str:
    """2·τ² · (1 − Pearson over the classes) + 2·τ² · (1 − Pearson over the batch) of the softened scores, τ = 4."""
    return _sum(["weight(32, pearson(soften(logits, 4)))", "weight(32, correlation(soften(logits, 4)))"])


def dkd(stages: Stages) -> str:
    """1 · TCKD + 2 · NCKD at τ = 4; 2 is the authors' choice for ResNet-56 to ResNet-20, for most pairs it is 8."""
    return _sum(["weight(1, tckd(logits, 4))", "weight(2, nckd(logits, 4))"])


def lskd(stages: Stages) -> str:
    """9 · τ² · KL of the standardised logits, τ = 2."""
    return "weight(9, kl(zscore(logits), 2))"
