"""Want of memory is told from other failures, also under an error that names the operation."""

import torch

from kdzero_gp.evaluate.failures import out_of_memory


def caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


def test_want_of_memory_by_its_three_names() -> None:
    allocator = RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
    for error in (MemoryError(), torch.OutOfMemoryError("CUDA"), allocator):
        assert out_of_memory(error)
        assert out_of_memory(caused(RuntimeError("in operation gram"), error))


def test_other_failures_are_none() -> None:
    assert not out_of_memory(RuntimeError("shapes differ"))
    assert not out_of_memory(caused(ValueError("x"), KeyError("y")))
    assert not out_of_memory(None)
