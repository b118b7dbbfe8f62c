"""A method's training as it was published."""

import pytest
import torch

from benchmarks.published_rank.training import Rising
from kdzero_gp import Distiller, Knowledge


def test_a_rising_distiller_reaches_its_weight_after_its_rise() -> None:
    student, teacher = (
        Knowledge(logits=torch.randn(4, 3, generator=torch.Generator().manual_seed(n))) for n in range(2)
    )
    plain = Distiller("weight(1, kl(logits, 4))")(student, teacher)
    rising = Rising("weight(1, kl(logits, 4))")
    rising.rise = 4
    shares = [float(rising(student, teacher) / plain) for _ in range(6)]
    assert shares == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1])
    assert float(Rising("weight(1, kl(logits, 4))")(student, teacher) / plain) == pytest.approx(1)
