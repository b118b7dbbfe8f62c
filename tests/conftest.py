"""Settings that hold for every test; they must come before the first import of torch."""

import os
import signal

# A shell that starts a job in the background makes it ignore Ctrl-C, and so would every process the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Tests run side by side and on tiny tensors: one thread each is faster, and its sums repeat exactly.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

# Ray's workers are nice to others (15); on a busy machine they would hardly ever run.
os.environ.setdefault("RAY_worker_niceness", "0")

import pytest
from hypothesis import settings

# A time limit per example fails on a busy machine for no fault of the code; in CI the examples are
# the same every time, so that a red build can be repeated.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests marked `gpu` where there is no CUDA device."""
    if item.get_closest_marker("gpu") is not None:
        import torch  # only here: most test runs that need no torch should not pay for its import

        if not torch.cuda.is_available():
            pytest.skip("needs a CUDA device")


@pytest.fixture(scope="session")
def teacher_cache(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One folder of trained teachers for the whole test session."""
    base = tmp_path_factory.getbasetemp()
    return str((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "teachers")
