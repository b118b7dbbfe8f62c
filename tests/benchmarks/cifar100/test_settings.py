"""The settings of the CIFAR-100 benchmarks are those that the commands take."""

from benchmarks.cifar100.settings import DEIT, FULL, REDUCED
from kdzero_gp.compare.setup import comparison_config
from kdzero_gp.run.config import make_config
from kdzero_gp.tasks.presets import REPDISTILLER


def test_the_settings_are_those_of_the_commands() -> None:
    for setting in (REDUCED, FULL, DEIT):
        searched = make_config(
            data="npz:x.npz", teacher=setting.teacher, student=setting.student, **setting.shared, **setting.search
        )
        given = {"data": "npz:x.npz", "teacher": setting.teacher, "student": setting.student, **setting.shared}
        given |= setting.compare
        trained, _ = comparison_config(given, given.pop("preset", None))
        assert searched.teacher_norm == trained.teacher_norm == "cifar100", "as the published weights were trained"
    pair = {"data": "npz:x.npz", "student": "resnet20"}
    config, recipe = comparison_config({**pair, **FULL.shared, **FULL.compare}, None)
    assert (recipe, config.views, config.cache_gb) == (REPDISTILLER, 240, 0)
    options = {**pair, **REDUCED.shared, **REDUCED.compare}
    config, short = comparison_config(options, options.pop("preset", None))
    assert short.epochs < 20
    assert config.cache_gb > 0, "on a CPU the teacher runs once for each view"
