"""Kept teacher outputs: the same wherever they are kept, computed once, and never trusted when damaged."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from kdzero_gp.data import NO_AUGMENTATION
from kdzero_gp.errors import ConfigError
from kdzero_gp.models import build
from kdzero_gp.tasks import layout
from kdzero_gp.tasks.task import Task
from kdzero_gp.tasks.teacher import files as teacher_files
from kdzero_gp.tasks.teacher.cache import GIB, SHARED_BYTES, SHARED_PIXELS, tiers
from tests.tasks.teacher import cache_process
from tests.tasks.teacher.cache_process import TINY, VIEWS, small_task

TAPS = ("stage1", "stage3", "pool", "logits")
SCRIPT = Path(cache_process.__file__)
Make = Callable[..., Task]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    monkeypatch.setattr(layout, "MOST", 20)
    threads = torch.get_num_threads()
    assert threads == 1, "the processes of these tests must compute what this one does"
    return lambda cache_gb=TINY, **options: small_task(str(tmp_path), cache_gb, **options)


def passes(task: Task) -> list[int]:
    """Grows with each forward pass of the teacher."""
    calls: list[int] = []
    task.teacher.register_forward_hook(lambda *_: calls.append(1))
    return calls


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{teacher_files.SUFFIX}"))


@pytest.mark.parametrize("augment", [NO_AUGMENTATION, VIEWS])
@pytest.mark.parametrize("cache_gb", [1.0, 5e-6, TINY, 0.0])
def test_a_batch_is_what_the_teacher_gives_for_that_view(make: Make, cache_gb: float, augment: object) -> None:
    task = make(cache_gb, augment=augment)
    feed = task.feed(TAPS)
    numbers = torch.tensor([49, 3, 3, 20])
    for epoch in (0, 1, 3):
        images, labels, knowledge = feed(numbers, epoch)
        with torch.no_grad(), task.reader(task.teacher, TAPS) as reader:
            expected = reader(images)
        assert labels.tolist() == [1, 3, 3, 0]
        assert tuple(knowledge) == TAPS
        for name in TAPS:
            torch.testing.assert_close(knowledge[name], expected[name])
    assert not torch.equal(feed(numbers, 0)[0], feed(numbers, 1)[0]) or augment is NO_AUGMENTATION


def test_every_tier_gives_the_same_bits(make: Make) -> None:
    budgets = {"memory": 1.0, "some": 5e-6, "files": TINY}
    tasks = {name: make(gb) for name, gb in budgets.items()}
    found = {name: {task._teacher_cache.tier("train", tap) for tap in TAPS} for name, task in tasks.items()}
    assert found == {"memory": {"device"}, "some": {"device", "file"}, "files": {"file"}}
    first, *others = ([task.feed(TAPS)(torch.arange(50), epoch)[2] for epoch in (0, 1)] for task in tasks.values())
    for other in others:
        for ours, theirs in zip(first, other, strict=True):
            assert all(torch.equal(ours[name], theirs[name]) for name in TAPS)
    whole = [task.teacher_knowledge("val", TAPS) for task in tasks.values()]
    for other in whole[1:]:
        assert all(torch.equal(other[name], whole[0][name]) for name in TAPS)


def test_a_file_is_computed_once_and_only_for_taps_and_views_that_are_asked_for(make: Make, tmp_path: Path) -> None:
    task = make()
    calls = passes(task)
    feed = task.feed(("logits",))
    first = feed(torch.arange(50), 0)[2]["logits"]
    assert len(calls) == 3
    assert len(files(tmp_path)) == 1
    feed(torch.arange(9), 2)
    assert len(calls) == 3, "epoch 2 sees view 0 again"
    again = make()
    calls = passes(again)
    assert torch.equal(again.feed(("logits",))(torch.arange(50), 0)[2]["logits"], first)
    assert len(calls) == 1, "the first chunk is compared when a file is opened"
    again.feed(("logits",))(torch.arange(50), 1)
    assert len(files(tmp_path)) == 2


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def _overwrite_header(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"something else")


def _of_another_teacher(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(teacher_files.HEADER)
        file.write(b"\x00" * 400)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [_cut, _overwrite_header, _of_another_teacher, _empty])
def test_a_damaged_or_foreign_file_is_computed_anew(make: Make, tmp_path: Path, damage: Callable[[Path], None]) -> None:
    expected = make().feed(("pool",))(torch.arange(50), 0)[2]["pool"]
    (path,) = files(tmp_path)
    sound = path.read_bytes()
    damage(path)
    assert torch.equal(make().feed(("pool",))(torch.arange(50), 0)[2]["pool"], expected)
    assert path.read_bytes() == sound


def test_another_teacher_data_or_augmentation_has_files_of_its_own(make: Make, tmp_path: Path) -> None:
    torch.manual_seed(1)
    other = build("cnn4", num_classes=4)
    for number, task in enumerate((make(), make(teacher=other), make(augment=NO_AUGMENTATION)), 1):
        task.feed(("pool",))(torch.arange(4), 0)
        assert len(files(tmp_path)) == number


def test_a_teacher_whose_code_changed_is_found_out(make: Make) -> None:
    class Net(nn.Module):
        scale = 1.0

        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(3)
            self.net = build("cnn4", num_classes=4)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.net(self.scale * images)  # type: ignore[no-any-return]

    before = make(teacher=Net()).feed(("logits",))(torch.arange(50), 0)[2]["logits"]
    Net.scale = 2.0
    task = make(teacher=Net())
    images, _, after = task.feed(("logits",))(torch.arange(50), 0)
    assert not torch.allclose(before, after["logits"])
    torch.testing.assert_close(after["logits"], task.teacher(images))


def start(folder: Path, seconds: float) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.tasks.teacher.cache_process", str(folder), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=SCRIPT.parents[3])


def test_two_processes_compute_a_file_once(tmp_path: Path) -> None:
    outputs = [process.communicate(timeout=120)[0].split("\n") for process in [start(tmp_path, 0.1) for _ in range(2)]]
    assert sorted(lines.count("chunk") for lines in outputs) == [1, 3], "one computes, the other checks one chunk"
    assert outputs[0][-2] == outputs[1][-2].replace("chunk", "")
    assert len(files(tmp_path)) == 2


def test_a_process_killed_while_it_writes_leaves_nothing_that_is_used(make: Make, tmp_path: Path) -> None:
    with start(tmp_path, 60.0) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2)]
        process.kill()
    assert lines == ["ready\n", "chunk\n"]
    left = [path.name for path in tmp_path.iterdir() if not path.name.endswith(".lock")]
    assert left
    assert not files(tmp_path)
    task = make()
    images, _, knowledge = task.feed(("stage1", "logits"))(torch.arange(50), 1)
    torch.testing.assert_close(knowledge["logits"], task.teacher(images))
    assert len(files(tmp_path)) == 2
    assert not [path for path in tmp_path.iterdir() if path.name in left]


def test_a_full_disk_is_said_before_the_work(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teacher_files.TeacherFiles, "_free", lambda _: 1000)
    task = make()
    calls = passes(task)
    with pytest.raises(ConfigError, match=r"need 0\.00 GiB .* fewer views, .*--cache-gb 0"):
        task.feed(("stage1",))(torch.arange(4), 0)
    assert not calls
    assert not files(tmp_path)


def test_room_is_made_from_what_was_unused_longest(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    old, young = (tmp_path / f"teacher-{name}-x{teacher_files.SUFFIX}" for name in ("old", "young"))
    for age, path in enumerate((young, old)):
        path.write_bytes(b"numbers")
        os.utime(path, (1000 - age, 1000 - age))
    monkeypatch.setattr(teacher_files.TeacherFiles, "_free", lambda _: 0 if old.exists() else 10**9)
    with caplog.at_level(logging.WARNING):
        make().feed(("pool",))(torch.arange(4), 0)
    assert young.exists()
    assert not old.exists()
    assert old.name in caplog.text


def test_a_write_that_fails_names_the_way_out(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match=r"No space left .*--cache-gb 0"):
        make().feed(("pool",))(torch.arange(4), 0)
    assert not [path for path in tmp_path.iterdir() if not path.name.endswith(".lock")]


def test_online_the_teacher_runs_in_every_step_and_keeps_nothing(make: Make, tmp_path: Path) -> None:
    task = make(0.0)
    calls = passes(task)
    feed = task.feed(TAPS)
    for _ in range(3):
        feed(torch.arange(8), 0)
    assert len(calls) == 3
    assert not list(tmp_path.iterdir())
    assert task.feed(())(torch.arange(8), 0)[2].shapes() == {}
    assert len(calls) == 3


def test_a_negative_cache_is_refused(make: Make) -> None:
    with pytest.raises(ConfigError, match="cache is -1 GiB, but must be 0"):
        make(-1)


def test_tiers_follow_from_sizes_alone() -> None:
    sizes = {("train", "b"): 100, ("train", "a"): 100, ("val", "big"): 900, ("train", "huge"): SHARED_BYTES}
    few = {"train": 1000, "val": 1000}
    assert tiers(sizes, few, views=3, budget_gb=700 / GIB, device_type="cpu") == {
        ("train", "a"): "device",
        ("train", "b"): "device",
        ("val", "big"): "file",
        ("train", "huge"): "file",
    }
    assert tiers(sizes, few, views=3, budget_gb=500 / GIB, device_type="cuda") == {
        ("train", "a"): "device",
        ("train", "b"): "host",
        ("val", "big"): "file",
        ("train", "huge"): "file",
    }
    many = few | {"val": SHARED_PIXELS}
    wide = {kind: tiers(sizes, many, views=1, budget_gb=1.0, device_type=kind) for kind in ("cpu", "cuda")}
    assert set(wide["cuda"].values()) == {"device"}
    assert wide["cpu"] == {
        ("train", "a"): "device",
        ("train", "b"): "device",
        ("val", "big"): "file",
        ("train", "huge"): "file",
    }


@pytest.mark.gpu
@pytest.mark.parametrize("cache_gb", [1.0, 1e-5, TINY])
def test_on_a_gpu_every_tier_serves_on_the_device(tmp_path: Path, cache_gb: float) -> None:
    task = small_task(str(tmp_path), cache_gb)
    moved = Task(
        "small",
        task.teacher,
        task._build_student,
        task.data,
        recipe=task.recipe,
        proxy=task.proxy,
        device="cuda",
        augment=VIEWS,
        cache_gb=cache_gb,
        cache_dir=tmp_path,
        amp=True,
    )
    images, labels, knowledge = moved.feed(TAPS)(torch.tensor([4, 30]), 1)
    with torch.no_grad(), moved.reader(moved.teacher, TAPS) as reader:
        expected = reader(images)
    assert images.is_cuda
    assert labels.is_cuda
    for name in TAPS:
        assert knowledge[name].is_cuda
        torch.testing.assert_close(knowledge[name], expected[name], rtol=1e-2, atol=1e-2)
    with moved.autocast():
        assert moved.student(0)(images).dtype == torch.bfloat16
