"""A foreign function's fault ends itself, never the program; what stops the program passes through it."""

import signal
from pathlib import Path

import pytest

from kdzero_gp import load
from kdzero_gp.console.command import Interrupted, interruptible
from kdzero_gp.errors import KdzeroError, PrimitiveError
from kdzero_gp.loops.single import DeadlineError
from kdzero_gp.untrusted import only_exceptions, user_path


class OddError(BaseException):
    """Neither an Exception nor printable."""

    def __str__(self) -> str:
        raise OddError


def raise_inside(error: BaseException) -> None:
    with only_exceptions(lambda: "`odd` (ops.py:3)"):
        raise error


@pytest.mark.parametrize("error", [OddError(), GeneratorExit(), KeyboardInterrupt()], ids=lambda e: type(e).__name__)
def test_whatever_an_operation_raises_becomes_an_exception_that_names_it(error: BaseException) -> None:
    with interruptible(), pytest.raises(PrimitiveError, match=rf"`odd` \(ops.py:3\) raised {type(error).__name__}"):
        raise_inside(error)


@pytest.mark.parametrize("error", [SystemExit(3), DeadlineError("late"), Interrupted(), ValueError("plain")])
def test_what_ends_the_work_in_order_passes(error: BaseException) -> None:
    with interruptible(), pytest.raises(type(error)) as caught:
        raise_inside(error)
    assert caught.value is error


def test_ctrl_c_without_a_command_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "getsignal", lambda number: signal.default_int_handler)
    with pytest.raises(KeyboardInterrupt):
        raise_inside(KeyboardInterrupt())


@pytest.mark.parametrize("error", [DeadlineError("late"), Interrupted()])
def test_no_except_exception_of_an_operation_swallows_what_stops_it(error: BaseException) -> None:
    def operation() -> None:
        try:
            raise error
        except Exception:
            pass

    with pytest.raises(type(error)):
        operation()


def test_a_tilde_is_the_home_and_an_unknown_user_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    assert user_path("~/a.json") == Path("/somewhere/a.json")
    assert user_path("~nosuchuser/a.json") == Path("~nosuchuser/a.json")
    with pytest.raises(KdzeroError, match=r"~nosuchuser/best\.json"):
        load("~nosuchuser/best.json")
