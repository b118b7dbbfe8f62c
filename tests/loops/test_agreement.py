"""Aligners beside a data-parallel student: equal in all processes, and what one process would have trained."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import distributed, nn

from kdzero_gp.loops.agreement import Agreement

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(not distributed.is_available(), reason="torch was built without torch.distributed")
@pytest.mark.parametrize("way", ["ddp", "fsdp2"])
def test_two_processes_train_what_one_would(way: str) -> None:
    script = Path(__file__).with_name("agreement_process.py")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", str(script), way]
    env = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=env)
    line = next((line for line in done.stdout.splitlines() if line.startswith("RESULT")), None)
    assert line is not None, done.stderr[-2000:]
    student, aligner, far = map(float, line.split()[1:])
    assert student == aligner == 0
    assert far < 1e-5


def test_alone_nothing_is_averaged() -> None:
    parameter = nn.Parameter(torch.ones(2))
    agreement = Agreement(nn.Linear(2, 2), [parameter])
    (3 * parameter.sum()).backward()
    assert parameter.grad is not None
    assert parameter.grad.tolist() == [3.0, 3.0]
    agreement.close()
