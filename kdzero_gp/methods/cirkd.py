"""CIRKD: Yang et al.: Cross-Image Relational Knowledge Distillation for Semantic Segmentation (CVPR 2022)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.class_queues import ClassQueues
from kdzero_gp.methods.connect import to_common_size, unit
from kdzero_gp.methods.loss import MethodLoss, Shapes
from kdzero_gp.methods.method import Stages, module_method
from kdzero_gp.methods.token_relations import rows_apart
from kdzero_gp.methods.world import Now, World

TEMPERATURE = 0.1
"""Of all similarities."""
ENTERING = 16
"""Places of an image that enter the queue of its class."""
COMPARED_PLACES, COMPARED_REGIONS = 4096, 1024
"""Of the queues in all, with which the places of a batch are compared."""


@module_method(
    "cirkd",
    "Yang et al.: Cross-Image Relational Knowledge Distillation for Semantic Segmentation (CVPR 2022)",
    needs_stages=True,
    home="Cityscapes; here its image form",
    exclusive=True,
)
class CrossImageRelations(MethodLoss):
    """Similarities of places across images, within the batch and to queues of the teacher's: the image form.

    KL of the logits, τ = 1; KL of row-softmax(F_i·F_jᵀ / 0.1) for every pair of images (i, j) of the batch, F the unit
    vectors of the places of the last map, the mean over rows and pairs; 0.1 · KL of the similarities of each place to
    4096 / K + 1 places and 0.1 · to 1024 / K + 1 means of images of every class, softmax over all at 0.1, the student's
    through conv1x1 – BN – ReLU – conv1x1 to the teacher's channels. Queues begin as random unit vectors; a batch enters
    after its comparison, sixteen places of each image.

    In the image form, this project's, the label of an image is that of its places, and queues are a tenth as long as
    the published 20000 places and 2000 regions a class. In the authors' code the places that enter are drawn from the
    first of the image and not from those of the class; here from all of the class. Whether a batch enters before or
    after its comparison is uncertain.

    Args:
        places, regions: length of the queues of each class.
    """

    def __init__(
        self,
        stages: Stages,
        *,
        pixel: float = 1.0,
        batch: float = 1.0,
        to_places: float = 0.1,
        to_regions: float = 0.1,
        places: int = 2000,
        regions: int = 200,
    ) -> None:
        self.tap = stages[-1]
        super().__init__([self.tap, "logits"])
        self.pixel, self.batch, self.to_places, self.to_regions = pixel, batch, to_places, to_regions
        self.places, self.regions = places, regions

    def build(self, student: Shapes, teacher: Shapes, world: World) -> None:
        classes, width = teacher["logits"][1], teacher[self.tap][1]
        self.project = nn.Sequential(
            nn.Conv2d(student[self.tap][1], width, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 1),
        )
        self.place_queues = ClassQueues(classes, self.places, width)
        self.region_queues = ClassQueues(classes, self.regions, width)

    def loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> dict[str, Tensor]:
        s, t = to_common_size(student[self.tap], teacher[self.tap])
        ours, projected, theirs = (unit(maps.flatten(2)).transpose(1, 2) for maps in (s, self.project(s), t))
        scores = [F.log_softmax(side["logits"], 1) for side in (student, teacher)]
        place_count = COMPARED_PLACES // self.place_queues.classes + 1
        region_count = COMPARED_REGIONS // self.region_queues.classes + 1
        places = self.place_queues.drawn(place_count, now.generator(t.device, "places"))
        regions = self.region_queues.drawn(region_count, now.generator(t.device, "regions"))
        terms = {
            "pixel": self.pixel * rows_apart(*scores),
            "batch": self.batch * rows_apart(across(ours), across(theirs)),
            "places": self.to_places * rows_apart(similarities(projected, places), similarities(theirs, places)),
            "regions": self.to_regions * rows_apart(similarities(projected, regions), similarities(theirs, regions)),
        }
        draw = torch.rand(theirs.shape[:2], generator=now.generator(t.device, "entering"), device=t.device)
        chosen = draw.argsort(1)[:, :ENTERING, None].expand(-1, -1, theirs.shape[2])
        self.place_queues.enter(theirs.gather(1, chosen), targets)
        self.region_queues.enter(unit(theirs.mean(1))[:, None], targets)
        return terms


def across(places: Tensor) -> Tensor:
    """log softmax of each place's similarities to those of every image apart, (N, P, C) to (N, P, N, P)."""
    return (torch.einsum("npc,mqc->npmq", places, places) / TEMPERATURE).log_softmax(3)


def similarities(places: Tensor, others: Tensor) -> Tensor:
    """log softmax of the similarities of places (N, P, C) to others (Q, C), (N, P, Q)."""
    return (places @ others.T.to(places.dtype) / TEMPERATURE).log_softmax(2)
