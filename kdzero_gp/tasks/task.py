"""A distillation task: a teacher, a way to build students, data, taps and a training recipe."""

from collections.abc import Callable, Iterable
from functools import cached_property

import torch
from torch import Tensor, nn

from kdzero_gp.data import Dataset, Split
from kdzero_gp.distiller.knowledge import Knowledge
from kdzero_gp.errors import ModelError, TapError
from kdzero_gp.grammar.grammar import tap_type
from kdzero_gp.tasks.feed import Feed
from kdzero_gp.tasks.recipe import Recipe
from kdzero_gp.tasks.taps import TapReader, Taps, find_taps, match_taps

CHUNK = 500
"""Images per forward pass where nothing is learned."""


class Task:
    """Everything a distiller is tried on. The teacher is frozen; its outputs are computed once and kept.

    Args:
        name: for people, such as `cnn32 -> cnn2 on digits`.
        teacher: a trained network; it is put into evaluation mode and gets no gradients.
        build_student: makes a student; its initial weights may depend on torch's global random state alone.
        data: the data set, its validation split taken from training data.
        recipe: the student's full training.
        proxy: the cheap training that candidates are compared by.
        device: where tensors live.

    Raises:
        ModelError: the networks do not fit the data or one another.
        TapError: no taps in common.
    """

    def __init__(
        self,
        name: str,
        teacher: nn.Module,
        build_student: Callable[[], nn.Module],
        data: Dataset,
        *,
        recipe: Recipe,
        proxy: Recipe,
        device: torch.device | str = "cpu",
    ) -> None:
        self.name = name
        self.device = torch.device(device)
        self.data = data
        self.recipe = recipe
        self.proxy = proxy
        self.teacher = teacher.to(self.device).eval().requires_grad_(False)
        self._build_student = build_student
        example = self.images(data.train, torch.arange(min(4, len(data.train))))
        student = self.student(seed=0)
        pair = match_taps(_taps("teacher", self.teacher, example), _taps("student", student, example))
        self.teacher_taps: Taps = pair.teacher
        self.student_taps: Taps = pair.student
        for role, taps in (("teacher", pair.teacher), ("student", pair.student)):
            classes = taps["logits"].shape[0]
            if classes != data.num_classes:
                raise ModelError(
                    f"the {role} gives {classes} class scores, but {data.name} has {data.num_classes} classes; "
                    "teacher, student and data must have the same classes"
                )
        self._cache: dict[tuple[str, str], Tensor] = {}
        self._images: dict[str, Tensor] = {}

    @cached_property
    def tap_types(self) -> dict[str, type]:
        """The taps a distiller of this task may use, with their grammar types."""
        return {name: t for name in self.student_taps if (t := tap_type(name)) is not None}

    def student(self, seed: int) -> nn.Module:
        """A student on the device whose initial weights depend on the seed alone."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self._build_student().to(self.device)

    def reader(self, student: nn.Module, names: Iterable[str]) -> TapReader:
        """Reads the named taps of a student while it runs."""
        return TapReader(student, self.student_taps, names)

    def split(self, name: str) -> Split:
        """The split `train`, `val` or `test`."""
        split: Split = getattr(self.data, name)
        return split

    def images(self, split: Split, indices: Tensor | slice) -> Tensor:
        """Normalised images (n, C, H, W) float32 on the device."""
        return self.data.normalise(split.images[indices].to(self.device))

    def all_images(self, split_name: str) -> Tensor:
        """All normalised images of a split, made once."""
        if split_name not in self._images:
            self._images[split_name] = self.images(self.split(split_name), slice(None))
        return self._images[split_name]

    def labels(self, split_name: str) -> Tensor:
        """All labels of a split, (N,) int64 on the device."""
        return self.split(split_name).labels.to(self.device)

    def feed(self, taps: Iterable[str]) -> Feed:
        """The training split for one training, with the teacher's knowledge at these taps."""
        return Feed(self, taps)

    def teacher_knowledge(self, split_name: str, names: Iterable[str]) -> Knowledge:
        """The teacher's taps for a whole split, computed once for each tap and kept.

        Raises:
            TapError: a tap that the pair does not have.
        """
        names = self._known(names)
        missing = [name for name in names if (split_name, name) not in self._cache]
        if missing:
            chunks = [self._teach(chunk, missing) for chunk in self.all_images(split_name).split(CHUNK)]
            for name in missing:
                self._cache[split_name, name] = _wide(torch.cat([chunk[name] for chunk in chunks]))
        return Knowledge(**{name: self._cache[split_name, name] for name in names})

    def teacher_probe(self, names: Iterable[str], count: int) -> Knowledge:
        """The teacher's taps for the first training images, without those for the rest of a large split.

        Args:
            count: at most as many as a forward pass takes.
        """
        first = self._teach(self.all_images("train")[:CHUNK], self._known(names))
        return first.map(lambda tensor: _wide(tensor)[:count])

    def _known(self, names: Iterable[str]) -> tuple[str, ...]:
        names = tuple(names)
        for name in names:
            if name not in self.teacher_taps:
                raise TapError(f"no tap `{name}` in {self.name}; it has {', '.join(self.teacher_taps)}")
        return names

    def _teach(self, images: Tensor, names: Iterable[str]) -> Knowledge:
        with torch.no_grad(), TapReader(self.teacher, self.teacher_taps, names) as reader:
            return reader(images)


def _wide(taps: Tensor) -> Tensor:
    """A tap in the layout in which pooling and 1x1 convolutions of wide maps run up to 13 times faster on a CPU."""
    return taps.contiguous(memory_format=torch.channels_last) if taps.dim() == 4 else taps


def _taps(role: str, model: nn.Module, example: Tensor) -> Taps:
    try:
        return find_taps(model, example)
    except TapError as error:
        raise TapError(f"{role}: {error}") from None
