"""A distillation task: a teacher, a way to build students, data, taps and a training recipe."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import astuple
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn

from kdzero_gp.data import NO_AUGMENTATION, Augmentation, Batches, Dataset, Split, image_batches
from kdzero_gp.errors import ConfigError, ModelError, TapError
from kdzero_gp.grammar.grammar import Grammar
from kdzero_gp.grammar.operation import Operation
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.knowledge import Knowledge
from kdzero_gp.taps.anatomy import Anatomy
from kdzero_gp.taps.network import Network
from kdzero_gp.taps.override import TapOverride
from kdzero_gp.taps.read import TapReader
from kdzero_gp.taps.tap import TYPES, Taps
from kdzero_gp.taps.wrapped_student import places_in, student_inside
from kdzero_gp.tasks.input import InputSpec, NetworkInput, adapts_itself, network_input
from kdzero_gp.tasks.kind import TaskKind
from kdzero_gp.tasks.kinds import check_tree, kind_of
from kdzero_gp.tasks.layout import MOST, chunk_size
from kdzero_gp.tasks.pair_taps import FoundTaps, NetworkSlot, settle_taps
from kdzero_gp.tasks.recipe import Recipe
from kdzero_gp.tasks.teacher.cache import TeacherCache
from kdzero_gp.tasks.teacher.files import TeacherFiles, teacher_identity
from kdzero_gp.tasks.teacher.folder import cache_folder
from kdzero_gp.tasks.training_batches import TrainingBatches

EXAMPLES = 4
"""Images by which networks are looked into."""
CHUNK = MOST
"""Images per forward pass at most where nothing is learned."""
CACHE_GB = 4.0
"""GiB of each memory tier for teacher outputs, unless the user says otherwise."""


class Task:
    """A pair, its data and a recipe; the teacher is frozen, and its outputs are computed once.

    Args:
        name: for people, such as `cnn32 -> cnn2 on digits`.
        teacher: a trained network; it is put into evaluation mode and gets no gradients.
        build_student: makes a student; its initial weights may depend on torch's global random state alone.
        data: the data set, its validation split taken from training data.
        recipe: the student's full training.
        proxy: the cheap training that candidates are compared by.
        device: where tensors live.
        augment: of the training split; teacher and student see the same view of an image.
        cache_gb: GiB of memory for teacher outputs, see `kdzero_gp.tasks.teacher.cache`. 0 keeps none of the training
            split's: the teacher runs in every step, on batches instead of chunks, which may change the last bits of
            its outputs; so this is a choice that belongs to what a run is, and nothing falls back to it by itself. Of
            streamed data none are kept in any case.
        cache_dir: of outputs that are kept in files; None means `$KDZERO_GP_CACHE`, or else `~/.cache/kdzero_gp`.
        amp: whether students run in bfloat16 under autocast, which changes results and so belongs to what a run is. On
            a CPU with AMX a step of resnet20 takes 124 ms of one core instead of 215; not measured on a GPU.
        teacher_input: size and normalisation that the teacher wants, where they are not the data set's.
        student_input: the same for the student. Every student that the task hands out or reads adapts its own input, so
            images are handed about as the data set has them, whatever the networks want.
        taps: places that the user sets by hand.
        found: the taps of the same networks on the same data, where they have been found already.
        kind: what a student is trained for and measured by; by default classification.
        route: gives the teacher's weights as they were after a share of its own training.

    Attributes:
        teacher_taps, student_taps: what distillers read, under common names.
        pair_taps: those, and what either network has beside them.

    Raises:
        ModelError: the networks do not fit the data or one another.
        TapError: no taps in common.
        ConfigError: a negative cache.
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
        augment: Augmentation = NO_AUGMENTATION,
        cache_gb: float = CACHE_GB,
        cache_dir: str | Path | None = None,
        amp: bool = False,
        teacher_input: InputSpec | NetworkInput | None = None,
        student_input: InputSpec | NetworkInput | None = None,
        taps: TapOverride | None = None,
        found: FoundTaps | None = None,
        kind: TaskKind | None = None,
        route: Callable[[float], Mapping[str, Tensor]] | None = None,
    ) -> None:
        if not cache_gb >= 0:
            raise ConfigError(f"The cache is {cache_gb} GiB, but must be 0 (the teacher runs in every step) or more")
        self.name = name
        self.kind = kind or kind_of()
        self.device = torch.device(device)
        self.data = data
        self.recipe = recipe
        self.proxy = proxy
        self.augment = augment
        self.online = cache_gb == 0 or data.streamed
        self.amp = amp
        self.teacher = teacher.to(self.device).eval().requires_grad_(False)
        self._build_student = build_student
        self._route = route
        self._cache_gb, self._cache_dir = cache_gb, cache_dir
        self._batches: dict[str, Batches] = {}
        self._anchors: dict[float, Task] = {}
        if adapts_itself(teacher):
            raise ModelError(
                "the teacher adapts its images by itself, being a student of another task; load its weights into a new "
                "network and say what that wants by teacher_input"
            )
        self.teacher_input = network_input(teacher_input, data)
        self.student_input = network_input(student_input, data)
        self.channels_last, self.pair_taps = found or self._found_taps(taps)
        self.teacher_taps: Taps = self.pair_taps.shared.teacher
        self.student_taps: Taps = self.pair_taps.shared.student
        for side, shared in (("teacher", self.teacher_taps), ("student", self.student_taps)):
            self.kind.check_taps(shared, data, f"the {side}")

    @cached_property
    def tap_types(self) -> dict[str, type]:
        """The taps that a distiller of this task may use, with their grammar types."""
        return {name: TYPES[tap.role] for name, tap in self.student_taps.items()}

    def grammar(self, operations: Mapping[str, Operation], *, extended: bool = False) -> Grammar:
        """Makes the grammar of this task's distillers from these operations."""
        return Grammar(operations, self.tap_types, extended=extended, exclusive=self.kind.exclusive)

    def check_tree(self, tree: Tree, whose: str) -> None:
        """Checks that a distiller's operations fit the classes of this task.

        Args:
            whose: what messages call it.

        Raises:
            ConfigError: one takes class scores as one distribution, and classes do not exclude one another.
        """
        check_tree(self.kind, tree, whose)

    def student(self, seed: int) -> nn.Module:
        """Builds a student on the device; its initial weights depend on the seed alone."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            student = self._build_student().to(self.device)
        self.student_input.attach(student)
        return student

    def reader(self, student: nn.Module, names: Iterable[str]) -> TapReader:
        """Reads the named taps of a student while it runs on images as the data set has them.

        Raises:
            TapError: a tap that the student does not have.
        """
        self.student_input.attach(student_inside(student))
        names = tuple(names)
        return TapReader(
            student, places_in(student, self.student_network(student_inside(student)).places(names)), names
        )

    @cached_property
    def teacher_network(self) -> Network:
        """Views the teacher as methods see it, beside its taps."""
        return Network("teacher", self.teacher, self.teacher_taps, lambda: self.teacher_input(self._examples()))

    def student_network(self, student: nn.Module) -> Network:
        """Views a student as methods see it, beside its taps."""
        return Network("student", student, self.student_taps, self._examples, lambda: self._student_anatomy)

    @cached_property
    def _student_anatomy(self) -> Anatomy:
        return Network("student", self.student(seed=0), self.student_taps, self._examples).anatomy

    def _examples(self) -> Tensor:
        return self.first_images("train", EXAMPLES)

    def autocast(self) -> AbstractContextManager[object]:
        """Makes the context of a student's forward pass: bfloat16 where the task says so, nothing otherwise."""
        return torch.autocast(self.device.type, torch.bfloat16) if self.amp else nullcontext()

    def split(self, name: str) -> Split:
        """Gives the split `train`, `val` or `test`."""
        split: Split = getattr(self.data, name)
        return split

    def images(self, split_name: str, numbers: Tensor) -> Tensor:
        """Reads the normalised images numbered `numbers`, (n,) int64, without augmentation: (n, C, H, W) float32."""
        return self._images(split_name)(numbers.to(self.device))

    def first_images(self, split_name: str, count: int) -> Tensor:
        """Reads the first images of a split, or all if it has no more."""
        return self.images(split_name, torch.arange(min(count, len(self.split(split_name)))))

    def all_images(self, split_name: str) -> Tensor:
        """Reads all normalised images of a split; a large one is better taken in `chunks`."""
        return self.first_images(split_name, len(self.split(split_name)))

    def chunks(self, split_name: str) -> Iterator[Tensor]:
        """Yields the normalised images of a split in chunks that suit a forward pass without gradient."""
        parts = torch.arange(len(self.split(split_name))).split(self._student_chunk)
        self._images(split_name).follow((numbers, None) for numbers in parts)
        for numbers in parts:
            yield self.images(split_name, numbers)

    def targets(self, split_name: str) -> Tensor:
        """Gives all targets of a split on the device, (N,) int64 or in the form of the kind."""
        return self.split(split_name).labels.to(self.device)

    def feed(self, taps: Iterable[str]) -> TrainingBatches:
        """Makes the batches of one training, with the teacher's knowledge at these taps."""
        names = self._known(taps)

        def taught(numbers: Tensor, view: int | None, images: Tensor) -> Knowledge:
            if self.online:
                return self._teach(images, names)
            return self._cached(names, lambda cache, some: cache.batch("train", some, numbers, view))

        return TrainingBatches(self._images("train"), self.targets("train"), taught if names else _nothing)

    def live_teacher(self, taps: Iterable[str]) -> Callable[[Tensor], Knowledge]:
        """Runs the teacher on images as the data set has them, with gradient to them."""
        names = self._known(taps)

        def run(images: Tensor) -> Knowledge:
            with TapReader(self.teacher, self.teacher_network.places(names), names) as reader:
                return reader(self.teacher_input(images))

        return run

    def at_anchor(self, share: float) -> Task:
        """Makes the same task with the teacher after a share of its own training.

        Raises:
            ConfigError: that is not known.
        """
        route = self.require_route()
        if share not in self._anchors:
            self._anchors.clear()  # one at a time: each keeps outputs of its own
            earlier = self._anchors[share] = copy.copy(self)
            earlier.teacher = copy.deepcopy(self.teacher)
            earlier.teacher.load_state_dict(dict(route(share)))
            for name in ("teacher_network", "_teacher_cache", "_extra_cache"):
                vars(earlier).pop(name, None)
        return self._anchors[share]

    def require_route(self) -> Callable[[float], Mapping[str, Tensor]]:
        """Gives the teacher's route.

        Raises:
            ConfigError: it is not known.
        """
        if self._route is None:
            raise ConfigError(
                f"the teacher of {self.name} came with its weights, so what it was while it was trained is not known; "
                "let it be trained here (without --teacher-weights), or leave out the methods that follow its route"
            )
        return self._route

    def teacher_knowledge(self, split_name: str, names: Iterable[str]) -> Knowledge:
        """Gives the teacher's taps for a whole split without augmentation, computed once.

        Raises:
            TapError: a tap that the pair does not have.
        """
        return self._cached(self._known(names), lambda cache, some: cache.whole(split_name, some))

    def teacher_probe(self, names: Iterable[str], count: int) -> Knowledge:
        """Gives the teacher's taps for the first training images, without the rest of a large split.

        Args:
            count: of images; a split that is smaller gives all.
        """
        return self._teach(self.first_images("train", count), self._known(names))

    def _cached(self, names: Sequence[str], read: Callable[[TeacherCache, Sequence[str]], Knowledge]) -> Knowledge:
        """Reads taps from the caches: one of the shared taps, one of a method's further taps."""
        extra = [name for name in names if name not in self.teacher_taps]
        if not extra:
            return read(self._teacher_cache, names)
        shared = [name for name in names if name in self.teacher_taps]
        parts = dict(read(self._extra_cache, extra)) | (dict(read(self._teacher_cache, shared)) if shared else {})
        return Knowledge(**{name: parts[name] for name in names})

    @cached_property
    def _teacher_cache(self) -> TeacherCache:
        return self._make_cache(self.teacher_taps)

    @cached_property
    def _extra_cache(self) -> TeacherCache:
        return self._make_cache(Taps(tuple(self.teacher_network.anatomy.extra.items())))

    def _make_cache(self, taps: Taps) -> TeacherCache:
        return TeacherCache(
            self._teach,
            taps,
            {name: self._images(name) for name in ("train", "val", "test")},
            chunk=self._teacher_chunk,
            views=self.augment.views,
            budget_gb=self._cache_gb or CACHE_GB,  # the other splits are kept in any case
            files=self._teacher_files,
        )

    def _teacher_files(self) -> TeacherFiles:
        parts = [self.data.fingerprint(), astuple(self.augment), self.channels_last, self._teacher_chunk]
        if not self.teacher_input.unchanged:
            parts.append(self.teacher_input.identity)
        return TeacherFiles(cache_folder(self._cache_dir), teacher_identity(self.teacher, self.device, parts))

    @cached_property
    def _teacher_chunk(self) -> int:
        return chunk_size(self.teacher_input.shape, self.device)

    @cached_property
    def _student_chunk(self) -> int:
        return chunk_size(self.student_input.shape, self.device)

    def _images(self, split_name: str) -> Batches:
        if split_name not in self._batches:
            augment = self.augment if split_name == "train" else NO_AUGMENTATION
            self._batches[split_name] = image_batches(
                self.data, self.split(split_name), augment, device=self.device, channels_last=self.channels_last
            )
        return self._batches[split_name]

    def _found_taps(self, override: TapOverride | None) -> FoundTaps:
        teacher = NetworkSlot(self.teacher, self.teacher_input)
        student = NetworkSlot(self.student(seed=0), self.student_input)
        return settle_taps(teacher, student, self.data, override, self.kind.find_taps, device=self.device)

    def _known(self, names: Iterable[str]) -> tuple[str, ...]:
        names = tuple(names)
        try:
            self.teacher_network.places(names)
        except TapError as error:
            missing = next(name for name in names if name not in self.teacher_taps)
            known = ", ".join(self.teacher_taps)
            raise TapError(f"no tap `{missing}` in {self.name}; it has {known}. {error}") from None
        return names

    def _teach(self, images: Tensor, names: Iterable[str]) -> Knowledge:
        names = tuple(names)
        with torch.no_grad(), TapReader(self.teacher, self.teacher_network.places(names), names) as reader:
            return reader(self.teacher_input(images))


def _nothing(numbers: Tensor, view: int | None, images: Tensor) -> Knowledge:
    return Knowledge()
