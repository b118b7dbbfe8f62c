"""The registered search space is Table 1: every name, every typing, nothing else."""

import pytest

TRANSFORMS = {
    # M = Map, R = Rows, V = Vector, L = Logits; left of > the input, right of it the output
    "batchnorm": "M>M V>V L>V",
    "minmax": "M>M R>R V>V L>V",
    "norm_hw": "M>M",
    "norm_c": "M>M V>V L>V",
    "norm_n": "M>M R>R V>V L>V",
    "softmax_hw": "M>M",
    "softmax_c": "M>M V>V L>V",
    "softmax_n": "M>M V>V L>V",
    "logsoftmax_hw": "M>M",
    "logsoftmax_c": "M>M V>V L>V",
    "logsoftmax_n": "M>M V>V L>V",
    "exp": "M>M R>R V>V L>V",
    "mish": "M>M R>R V>V L>V",
    "leaky": "M>M R>R V>V L>V",
    "relu": "M>M R>R V>V L>V",
    "tanh": "M>M R>R V>V L>V",
    "sigmoid": "M>M R>R V>V L>V",
    "pow2": "M>M R>R V>V L>V",
    "pow4": "M>M R>R V>V L>V",
    "log": "M>M R>R V>V L>V",
    "sqrt": "M>M R>R V>V L>V",
    "scale": "M>M V>V L>V",
    "multi_scale": "M>V",
    "scale_r1": "M>M",
    "scale_r2": "M>M",
    "local_r1": "M>R",
    "local_r2": "M>R",
    "local_r4": "M>R",
    "batch": "M>V",
    "channel": "M>R",
    "drop": "M>M",
    "mask": "M>M",
    "satt": "M>M",
    "catt": "M>M V>V L>V",
    "natt": "M>M R>R V>V L>V",
    "no": "M>M R>R V>V L>L",
    "bmm": "M>R",
    "mm": "M>V R>V V>V L>V",
}
DISTANCES = {
    "l1": "M R V L",
    "l2": "M R V L",
    "smooth_l1": "M R V L",
    "kl": "R V L",
    "hard": "L",
    "cosine": "M R V L",
    "pearson": "M R V L",
    "correlation": "M R V L",
}
WEIGHTS = {"w_entropy", "w_focal", "w_sim", "w_conf", "w_no"}
LETTERS = {"M": "Map", "R": "Rows", "V": "Vector", "L": "Logits"}


def _names(operations, kind):
    return {name for name, operation in operations.items() if operation.kind == kind and not operation.extended}


def test_the_search_space_has_the_names_of_table_1(operations):
    assert _names(operations, "transform") == set(TRANSFORMS)
    assert _names(operations, "distance") == set(DISTANCES)
    assert _names(operations, "weight") == WEIGHTS
    assert [len(_names(operations, kind)) for kind in ("transform", "distance", "weight")] == [38, 8, 5]


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_transform_has_exactly_its_typings(operations, name):
    wanted = {f"({LETTERS[arrow[0]]}) -> {LETTERS[arrow[2]]}" for arrow in TRANSFORMS[name].split()}
    assert {str(s) for s in operations[name].signatures} == wanted


@pytest.mark.parametrize("name", DISTANCES)
def test_a_distance_has_exactly_its_typings(operations, name):
    tau = ", Tau" if name == "kl" else ""
    wanted = {f"({LETTERS[letter]}{tau}) -> PerSample" for letter in DISTANCES[name].split()}
    assert {str(s) for s in operations[name].signatures} == wanted


@pytest.mark.parametrize("name", sorted(WEIGHTS))
def test_a_weight_takes_and_gives_a_distance(operations, name):
    assert [str(s) for s in operations[name].signatures] == ["(PerSample) -> PerSample"]
    assert operations[name].labels == (name == "w_focal")


def test_only_the_operations_that_change_nothing_are_identities(operations):
    assert {name for name, op in operations.items() if op.identity} == {"no", "scale_r1", "w_no"}


def test_only_the_masks_are_random(operations):
    assert {name for name, op in operations.items() if op.random} == {"drop", "mask"}


def test_every_operation_carries_a_formula_and_a_docstring_with_its_source(operations):
    for name, operation in operations.items():
        assert operation.formula, name
        if operation.kind != "structure" and not operation.extended:
            assert "Source:" in operation.doc, name
