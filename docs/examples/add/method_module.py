"""A hand-designed method with learned parts, for kdzero_gp/methods/: angles between features behind a projector."""

from torch import Tensor, nn
from torch.nn import functional

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.loss import MethodLoss, Shapes
from kdzero_gp.methods.method import Stages, module_method
from kdzero_gp.methods.world import Now, World


@module_method("angles", "An example of the documentation")
class Angles(MethodLoss):
    """beta · (1 - cosine) of the penultimate features, the student's behind a learned linear projector.

    Args:
        beta: weight of the loss.
    """

    def __init__(self, stages: Stages, *, beta: float = 2.0) -> None:
        super().__init__(("pool",))
        self.beta = beta

    def build(self, student: Shapes, teacher: Shapes, world: World) -> None:
        """Makes the projector for these shapes, (N, C) each."""
        self.projector = nn.Linear(student["pool"][1], teacher["pool"][1], bias=False)

    def loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> dict[str, Tensor]:
        """The mean over the samples."""
        cosine = functional.cosine_similarity(self.projector(student["pool"]), teacher["pool"], dim=1)
        return {"angles": self.beta * (1 - cosine).mean()}
