"""Both loops, and the turns they take."""

import torch

from benchmarks.overhead import pair
from benchmarks.overhead.loops import interleaved, usual_batches
from kdzero_gp.data import Augmentation


def test_both_loops_train_the_same_student_on_the_same_kind_of_images() -> None:
    task = pair.make_pair(128, None, "cpu", Augmentation(padding=4, flip=True), pair.QUICK_PAIR)
    images, labels = next(usual_batches(task))
    served, own_labels, _ = task.feed(())(torch.arange(pair.BATCH), 0)
    assert images.shape == served.shape
    assert labels.shape == own_labels.shape
    darkest = -torch.tensor(pair.MEAN) / torch.tensor(pair.STD)
    for batch in (images, served):
        torch.testing.assert_close(batch.amin((0, 2, 3)), darkest)


def test_steps_take_turns() -> None:
    calls: list[str] = []
    times = interleaved([lambda: calls.append("a"), lambda: calls.append("b")], 2, torch.device("cpu"))
    assert calls == ["a", "b"] * 3
    assert [len(taken) for taken in times] == [2, 2]
