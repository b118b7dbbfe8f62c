"""What a distiller holds for its pair: late parameters are told of, states load into fresh ones, copies travel."""

import copy
import io
import multiprocessing
import pickle
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kdzero_gp import Distiller, Knowledge, Map, parse, transform
from kdzero_gp.errors import PrimitiveError
from kdzero_gp.export.module import standalone_source
from kdzero_gp.grammar.registry import default_registry
from tests.distiller.slow_twin import knowledge

WIDE = (5, 4, 8)
TEXT = "add(weight(1, l2(stage1)), add(weight(5, l1(mask(stage2))), weight(1, l2(hint(stage3)))))"


def pair() -> tuple[Knowledge, Knowledge]:
    return knowledge(0), knowledge(1, channels=WIDE, sizes=(4, 4, 4))


def trained(text: str = TEXT, seed: int = 3) -> Distiller:
    """One that has been used, and whose parameters are not the initial ones."""
    distiller = Distiller(text, calibration=[0.5, 2.0, 3.0], seed=seed).prepare(*pair())
    with torch.no_grad():
        for parameter in distiller.parameters():
            parameter.add_(0.1)
    for _ in range(3):
        distiller(*pair())
    return distiller


def losses(loss: nn.Module, count: int = 3) -> list[float]:
    """Of the next calls, whose masks differ."""
    return [float(loss(*pair()).detach()) for _ in range(count)]


def test_aligners_that_appear_under_gradient_are_told_of() -> None:
    distiller = Distiller(TEXT)
    told = r"63 parameters.*stage1.*an optimiser.*distiller.prepare\(student, teacher\)"
    with pytest.warns(UserWarning, match=told) as warned:
        Distiller("weight(1, l2(stage1))")(
            Knowledge(stage1=torch.randn(4, 6, 5, 5)), Knowledge(stage1=torch.randn(4, 9, 5, 5))
        )
    assert [warning.filename for warning in warned] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with torch.no_grad():
            Distiller(TEXT)(*pair())
        distiller.prepare(*pair())(*pair())
        Distiller("weight(1, l2(pool))")(knowledge(0), knowledge(1))


def test_a_fresh_distiller_loads_a_state_and_goes_on_with_its_masks() -> None:
    one = trained()
    state = one.state_dict()
    fresh = Distiller(TEXT, seed=9)
    fresh.load_state_dict(state)
    assert fresh.pair_shapes() == one.pair_shapes()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert losses(fresh) == losses(one)
    prepared = Distiller(TEXT, seed=9).prepare(*pair())
    prepared.load_state_dict(state)
    assert prepared.calls == 3
    assert losses(prepared) == losses(_loaded(state))


def _loaded(state: dict[str, Any]) -> Distiller:
    fresh = Distiller(TEXT)
    fresh.load_state_dict(state)
    return fresh


def test_a_state_travels_as_tensors_alone() -> None:
    one, file = trained(), io.BytesIO()
    torch.save(one.state_dict(), file)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    assert losses(_loaded(state)) == losses(one)


def test_a_state_of_before_still_loads() -> None:
    """It has neither shapes nor masks."""
    state = {n: v for n, v in trained().state_dict().items() if n != "stream" and not n.startswith("shapes.")}
    distiller = Distiller(TEXT).prepare(*pair())
    distiller.load_state_dict(state)
    for name, value in state.items():
        assert torch.equal(distiller.state_dict()[name], value)


def test_a_state_of_another_pair_is_refused() -> None:
    other = Distiller(TEXT).prepare(knowledge(0), knowledge(1))
    with pytest.raises(RuntimeError, match="was made for taps of"):
        other.load_state_dict(trained().state_dict())


def test_a_state_without_masks_has_no_stream() -> None:
    assert "stream" not in Distiller("weight(1, l2(stage1))").prepare(*pair()).state_dict()


def test_a_state_inside_a_larger_module() -> None:
    holder = nn.ModuleDict({"loss": trained()})
    fresh = nn.ModuleDict({"loss": Distiller(TEXT)})
    fresh.load_state_dict(holder.state_dict())
    assert losses(fresh["loss"]) == losses(holder["loss"])


def test_a_stand_alone_file_loads_the_whole_state() -> None:
    one = trained()
    space: dict[str, Any] = {"__name__": "best"}
    exec(standalone_source(one), space)
    alone: nn.Module = space["Distiller"]()
    state = {name: value for name, value in one.state_dict().items() if name != "calibration"}
    alone.load_state_dict(state)
    torch.testing.assert_close(torch.tensor(losses(alone)), torch.tensor(losses(one)))
    assert list(alone.state_dict()) == [name for name in one.state_dict() if name != "calibration"]
    with pytest.warns(UserWarning, match="made in the first call"):
        space["Distiller"]()(*pair())


COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda one: pickle.loads(pickle.dumps(one)),
    "torch.save": lambda one: _saved(one),
}


def _saved(one: Distiller) -> Any:
    file = io.BytesIO()
    torch.save(one, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("used", [True, False])
def test_copies_are_whole_and_apart(way: str, used: bool) -> None:
    one = trained() if used else Distiller(TEXT, calibration=[0.5, 2.0, 3.0], seed=3)
    one.train(False)
    if used:
        next(iter(one.parameters())).requires_grad_(False)
    twin = COPIES[way](one)
    assert str(twin.tree) == str(one.tree)
    assert (twin.seed, twin.calls, twin.training) == (3, one.calls, False)
    assert {n: p.requires_grad for n, p in twin.named_parameters()} == {
        n: p.requires_grad for n, p in one.named_parameters()
    }
    with torch.no_grad():
        assert losses(twin) == losses(one)
        for parameter in twin.parameters():
            parameter.mul_(3)
    assert losses(twin) != losses(one)
    assert list(twin.terms()) == list(one.terms())


def test_a_copy_in_double_precision_stays_so() -> None:
    one = trained().double()
    assert {p.dtype for p in copy.deepcopy(one).parameters()} == {torch.float64}


def _answer(queue: Any, distiller: Distiller, tree: Any, student: Knowledge, teacher: Knowledge) -> None:
    queue.put((float(distiller(student, teacher).detach()), str(tree)))


def test_a_distiller_is_sent_to_a_spawned_process() -> None:
    one = trained()
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    worker = context.Process(target=_answer, args=(queue, one, one.tree, *pair()))
    worker.start()
    loss, text = queue.get(timeout=300)
    worker.join()
    assert text == TEXT
    assert loss == losses(one, 1)[0]


def test_a_distiller_can_be_closed_and_used_again() -> None:
    twin = trained()
    with trained() as one:
        first = losses(one)
    assert one.terms() == {}
    assert [*first, *losses(one)] == losses(twin, 6)


def test_a_tree_with_taps_of_its_own_is_pickled() -> None:
    tree = parse("weight(1, l2(neck))", taps={"neck": Map})
    assert pickle.loads(pickle.dumps(tree)) == tree


def test_a_primitive_that_the_other_process_does_not_know_is_named() -> None:
    with default_registry().copy().active():

        @transform(Map)
        def mine_alone(x: Tensor) -> Tensor:
            return x * 2

        sent = pickle.dumps(Distiller("weight(1, l2(mine_alone(stage1)))"))
        assert str(pickle.loads(sent).tree) == "weight(1, l2(mine_alone(stage1)))"
    with pytest.raises(PrimitiveError, match=r"`mine_alone` of .*test_pair_state.py:\d+"):
        pickle.loads(sent)
