"""Mean average precision: how well the scores of a class rank the images that have it before those that have not."""

import math

import torch
from torch import Tensor


def average_precision(scores: Tensor, targets: Tensor) -> Tensor:
    """Average precision of every class, (K,) float64; NaN for a class that no image has.

    The sum of (R_n - R_(n-1)) P_n over the scores as thresholds, without interpolation, where images of one score come
    in together: what scikit-learn's `average_precision_score` gives.

    Args:
        scores: (N, K).
        targets: (N, K) of 0 and 1.
    """
    ranked, order = scores.double().sort(0, descending=True)
    hits = targets.double().gather(0, order).cumsum(0)
    places = torch.arange(1, len(scores) + 1, dtype=torch.float64, device=scores.device)
    ends = torch.ones_like(ranked, dtype=torch.bool)  # a threshold cannot fall between images of one score
    ends[:-1] = ranked[:-1] != ranked[1:]
    found = []
    for reached, end in zip(hits.unbind(1), ends.unbind(1), strict=True):
        precision = reached[end] / places[end]
        gained = reached[end].diff(prepend=reached.new_zeros(1))
        found.append((precision * gained).sum() / reached[-1])  # 0 / 0 without any image of the class
    return torch.stack(found)


def mean_average_precision(scores: Tensor, targets: Tensor) -> float:
    """Gives the mean over the classes that some image has, 0 … 1;
    NaN where a score is NaN or no image has any class.
    """
    if bool(torch.isnan(scores).any()):
        return math.nan
    return float(average_precision(scores, targets).nanmean())
