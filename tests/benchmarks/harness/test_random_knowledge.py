"""Random taps differ in everything a pair may differ in."""

from benchmarks.harness.random_knowledge import PAIRS, knowledge


def test_no_tap_but_the_logits_has_one_shape() -> None:
    for pair in PAIRS:
        student, teacher = knowledge(pair.student, 0), knowledge(pair.teacher, 1)
        same = [tap for tap in student if student[tap].shape == teacher[tap].shape]
        assert same == ["logits"]


def test_rectified_taps_are_never_negative() -> None:
    taps = knowledge(PAIRS[0].student, 0, rectified=True)
    assert all(float(taps[tap].min()) >= 0 for tap in taps if tap != "logits")
    assert float(taps["logits"].min()) < 0
