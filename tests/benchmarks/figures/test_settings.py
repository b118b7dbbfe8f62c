"""The settings of the figures are those of the benchmarks beside them."""

from benchmarks.cifar100.settings import REDUCED
from benchmarks.figures.settings import Teacher, cifar100, digits
from benchmarks.harness.checkout import RESULTS
from benchmarks.harness.result import read_result
from kdzero_gp.compare.setup import comparison_config


def test_the_settings_are_those_of_the_benchmarks_beside_them() -> None:
    winner = read_result(RESULTS / "digits.json").part("runs")[0]["evolved formula"]
    assert digits().distiller == winner
    plan = cifar100("npz:x.npz", "x.pt", teacher_images=20, teacher_epochs=2)
    first = plan.teachers[0]
    pair = {"data": "npz:x.npz", "student": plan.student, "teacher": first.name}
    ours = {**pair, **first.options, **plan.recipe}
    theirs = {**pair, "teacher_weights": "x.pt", **REDUCED.shared, **REDUCED.compare}
    assert comparison_config(ours, ours.pop("preset")) == comparison_config(theirs, theirs.pop("preset"))
    assert [teacher.name for teacher in plan.teachers] == ["resnet56", "resnet20", "resnet8"]
    assert all(isinstance(t, Teacher) and dict(t.training or {})["limit"] == 20 for t in plan.teachers[1:])
