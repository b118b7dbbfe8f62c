"""FitNet hints: Romero et al.: FitNets: Hints for Thin Deep Nets (ICLR 2015)."""

from kdzero_gp.methods.method import Stages, tree_method


@tree_method("Romero et al.: FitNets: Hints for Thin Deep Nets (ICLR 2015)", needs_stages=True)
def fitnet(stages: Stages) -> str:
    """100 · MSE of the second stage behind a learned regressor, trained along with the rest, not in a stage before."""
    return f"weight(100, l2(hint({stages[min(1, len(stages) - 1)]})))"
