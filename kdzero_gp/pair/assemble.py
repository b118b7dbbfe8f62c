"""From options to the parts of a task: data, teacher, student, recipe."""

from functools import partial

from kdzero_gp.data import Dataset, load_dataset, named_augmentation
from kdzero_gp.grammar.grammar import SCORES
from kdzero_gp.grammar.registry import active_registry
from kdzero_gp.pair.check import make_pair
from kdzero_gp.pair.config import PairConfig, ProcessConfig
from kdzero_gp.taps.override import parse_taps
from kdzero_gp.tasks.kinds import kind_of
from kdzero_gp.tasks.presets import teacher_recipe_for
from kdzero_gp.tasks.task import Task
from kdzero_gp.tasks.teacher.pretrain import cached_teacher
from kdzero_gp.tasks.teacher.route import cached_route


def make_data(config: PairConfig) -> Dataset:
    """Loads the data.

    Raises:
        DataError: what is wrong with them.
    """
    return load_dataset(config.data, limit=config.limit, labels=kind_of(config.task).labels)


def make_task(config: PairConfig, data: Dataset | None = None) -> Task:
    """Loads the data, unless they are given, and the teacher, training the latter on first use.

    Raises:
        KdzeroError: what is wrong with the data, the models or the weights.
    """
    data = data or make_data(config)
    kind = kind_of(config.task)
    pair = make_pair(config, data)
    recipe_of_teacher = teacher_recipe_for(data.name)
    teacher = cached_teacher(
        config.teacher,
        data,
        recipe=recipe_of_teacher,
        weights=config.teacher_weights,
        device=config.device,
        spec=pair.teacher.input,
        scores=parse_taps(config.taps).teacher.get(SCORES),
        kind=kind,
    )
    channels, height, width = pair.student.input.shape
    student = partial(kind.build, config.student, data, in_channels=channels, image_size=(height, width))
    recipe, proxy = config.recipes(data.name)
    return Task(
        f"{config.pair} on {data.name}",
        teacher,
        student,
        data,
        recipe=recipe,
        proxy=proxy,
        device=config.device,
        augment=named_augmentation(config.augment, data, views=config.views),
        cache_gb=config.cache_gb,
        amp=config.amp,
        teacher_input=pair.teacher.input,
        student_input=pair.student.input,
        found=pair.found,
        kind=kind,
        route=None
        if config.teacher_weights
        else cached_route(
            config.teacher,
            data,
            recipe=recipe_of_teacher,
            device=config.device,
            spec=pair.teacher.input,
            kind=kind,
        ),
    )


def load_primitives(config: ProcessConfig) -> None:
    """Runs the user's primitive files, once each.

    Raises:
        PrimitiveError: a file is missing, fails to run, or declares something that is refused.
    """
    active_registry().load_files(config.primitives)
