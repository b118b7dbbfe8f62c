"""The queues of classes against lists."""

import torch

from kdzero_gp.methods.class_queues import ClassQueues


def test_the_oldest_of_a_class_give_way() -> None:
    torch.manual_seed(1)
    queues = ClassQueues(3, 5, 2)
    torch.testing.assert_close(queues.vectors.norm(dim=1), torch.ones(15))
    lists = [[queues.vectors[label * 5 + place].clone() for place in range(5)] for label in range(3)]
    ends = [0, 0, 0]
    for labels in ([0, 2, 0], [2, 2, 2], [0, 1, 0], [2, 2, 0]):  # 2 gets six vectors at once
        vectors = torch.randn(3, 2, 2)
        queues.enter(vectors, torch.tensor(labels))
        for label, own in zip(labels, vectors, strict=True):
            for vector in own:
                lists[label][ends[label] % 5] = vector
                ends[label] += 1
        expected = torch.stack([vector for queue in lists for vector in queue])
        assert torch.equal(queues.vectors, expected)
        assert queues.next.tolist() == [end % 5 for end in ends]


def test_as_many_of_every_class_are_drawn() -> None:
    queues = ClassQueues(2, 4, 1)
    queues.vectors.copy_(torch.arange(8.0)[:, None])
    drawn = queues.drawn(3, torch.Generator().manual_seed(0)).flatten().tolist()
    assert len(set(drawn)) == 6
    assert sum(value < 4 for value in drawn) == 3
    assert sorted(queues.drawn(9, torch.Generator().manual_seed(0)).flatten().tolist()) == list(range(8))
