"""From options to the parts of a task: data, teacher, student, recipe."""

from dataclasses import replace
from functools import partial

from kdzero_gp.data import Dataset, load_dataset, named_augmentation
from kdzero_gp.errors import PrimitiveError
from kdzero_gp.grammar.registry import active_registry, default_registry
from kdzero_gp.pair.check import check_pair, input_specs
from kdzero_gp.run.config import RunConfig
from kdzero_gp.taps.override import parse_taps
from kdzero_gp.tasks.input import NetworkInput
from kdzero_gp.tasks.kinds import kind_of
from kdzero_gp.tasks.presets import recipes_for
from kdzero_gp.tasks.recipe import Recipe
from kdzero_gp.tasks.task import Task
from kdzero_gp.tasks.teacher.pretrain import cached_teacher
from kdzero_gp.tasks.teacher.route import cached_route


def make_data(config: RunConfig) -> Dataset:
    """Loads the data.

    Raises:
        DataError: what is wrong with them.
    """
    return load_dataset(config.data, limit=config.limit, labels=kind_of(config.task).labels)


def make_task(config: RunConfig, data: Dataset | None = None) -> Task:
    """Loads the data, unless they are given, and the teacher, training the latter on first use.

    Raises:
        KdzeroError: what is wrong with the data, the models or the weights.
    """
    data = data or make_data(config)
    check_pair(config, data)
    specs, kind = input_specs(config), kind_of(config.task)
    teacher = cached_teacher(
        config.teacher, data, weights=config.teacher_weights, device=config.device, spec=specs.teacher, kind=kind
    )
    recipe, proxy = _recipes(config, data)
    channels, *size = NetworkInput(specs.student, data).shape
    student = partial(kind.build, config.student, data, in_channels=channels, image_size=(size[0], size[1]))
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
        teacher_input=specs.teacher,
        student_input=specs.student,
        taps=parse_taps(config.taps),
        kind=kind,
        route=None
        if config.teacher_weights
        else cached_route(config.teacher, data, device=config.device, spec=specs.teacher, kind=kind),
    )


def _recipes(config: RunConfig, data: Dataset) -> tuple[Recipe, Recipe]:
    """The recipe of a full training and that of a proxy training."""
    full, proxy = recipes_for(data.name, config.student)
    changes = {name: value for name in ("batch_size", "lr") if (value := getattr(config, name)) is not None}
    full = replace(full, epochs=config.epochs or full.epochs, **changes)
    proxy_epochs = config.proxy_epochs or min(proxy.epochs, full.epochs)
    return full, replace(proxy, epochs=proxy_epochs, **changes)


def load_primitives(config: RunConfig) -> None:
    """Runs the user's primitive files, once each.

    Raises:
        PrimitiveError: a file is missing, fails to run, or declares something that is refused.
    """
    loaded = {operation.source.rpartition(":")[0] for operation in default_registry().values()}
    for path in config.primitives:
        if path in loaded:
            continue
        try:
            active_registry().load_file(path)
        except SystemExit as error:
            raise PrimitiveError(
                f"{path} ended the program while it was loaded (sys.exit: {error}); a primitive file only declares "
                'functions: put what a script does below `if __name__ == "__main__":`'
            ) from None
