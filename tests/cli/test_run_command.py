"""What a user sees and gets: `python -m kdzero_gp.run` from beginning to end."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import kdzero_gp
from kdzero_gp.store import RunStore

FILES = ("run.sqlite", "config.yaml", "history.jsonl", "best.json", "best.py", "best.svg", "best.png", "best.gv")


def history(folder: Path) -> bytes:
    return (folder / "history.jsonl").read_bytes()


def contents(folder: Path) -> dict[Path, tuple[bytes, int]]:
    """All files with their times, but for the index that SQLite keeps while somebody reads."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(("-shm", "-wal"))]
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def test_a_run_ends_with_all_its_files(whole_run: Any) -> None:
    folder, outcome = whole_run
    assert (outcome.code, outcome.err) == (0, "")
    for name in (*FILES, "gallery/index.html"):
        assert (folder / name).stat().st_size > 0, name
    assert [path for path in (folder / "tensorboard").iterdir() if "tfevents" in path.name]
    assert kdzero_gp.load(folder / "best.json").tree is not None
    lines = [json.loads(line) for line in history(folder).splitlines()]
    for arm in ("evolve", "random"):
        rungs = [line["rung"] for line in lines if line["arm"] == arm and line["status"] == "ok"]
        assert (rungs.count(0), rungs.count(1)) == (6, 2), "of three in each of two generations one goes on"
    assert (folder / "best.png").read_bytes()[:4] == b"\x89PNG"
    assert "<svg" in (folder / "best.svg").read_text()


def test_the_output_tells_what_happens_line_by_line(whole_run: Any) -> None:
    folder, outcome = whole_run
    lines = outcome.out.splitlines()
    assert re.fullmatch(
        r"cnn4 -> cnn2 on digits, seed 3: 3 x 2 = 6 trainings, teacher [\d.]+ % on test; run folder .*", lines[0]
    )
    for arm in ("evolution", "random search"):
        for generation in (0, 1):
            pattern = rf" *{arm} gen +{generation}  best [\d.]+  median [\d.]+  trained 3 of \d+ proposed.*"
            assert any(re.fullmatch(pattern, line) for line in lines), pattern
    table = outcome.out[outcome.out.index("Test accuracy") :]
    for name in ("evolved 1", "evolved 2", "random search", "kd", "student alone"):
        assert name in table
    assert str(folder / "gallery" / "index.html") in lines[-1]
    assert "\x1b" not in outcome.out, "colours in a pipe"


def test_the_table_is_in_the_order_of_the_means(whole_run: Any) -> None:
    with RunStore.read(whole_run[0]) as store:
        rows = store.result("final")["rows"]
    means = [row["mean"] for row in rows]
    assert means == sorted(means, reverse=True)
    assert {row["name"] for row in rows} >= {"evolved 1", "evolved 2", "random search", "kd", "student alone"}


def test_the_gallery_shows_what_the_nodes_of_the_winner_do(whole_run: Any) -> None:
    winner = kdzero_gp.load(whole_run[0] / "best.json").tree
    with RunStore.read(whole_run[0]) as store:
        readings = store.result("readings")[winner.key]
    nodes = [node for node in winner.canonical().root.walk() if node.kind not in ("structure", "constant")]
    assert set(readings) == {node.text for node in nodes}
    assert all(gradient > 0 for value, gradient, state in readings.values() if state == "live")
    assert "|∇|" in (whole_run[0] / "gallery" / "index.html").read_text(encoding="utf-8")


def test_the_same_seed_gives_the_same_history_whoever_prints_what(whole_run: Any, invoke: Any, tiny: Any) -> None:
    folder = whole_run[0].with_name("quiet")
    torch.manual_seed(99)
    outcome = invoke(*tiny, "--seed", 3, "--run-dir", folder, "--quiet")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    assert history(folder) == history(whole_run[0])
    other = invoke(*tiny, "--seed", 4, "--run-dir", folder.with_name("other"), "--no-baselines", "--json", "--quiet")
    assert (other.code, other.err) == (0, "")
    assert history(folder.with_name("other")) != history(folder)
    table = json.loads(other.out)["table"]
    assert [row["kind"] for row in table] == ["evolved"] * 2


def test_json_is_one_object_on_stdout_and_progress_on_stderr(invoke: Any, tiny: Any, tmp_path: Path) -> None:
    ops = tmp_path / "chatty.py"
    ops.write_text(
        "from kdzero_gp import Vector, transform\nprint('loading' * 1000)\n"
        "@transform(Vector)\ndef chatty(x):\n    print('computing')\n    return 2 * x\n"
    )
    outcome = invoke(*tiny, "--json", "--algorithm", "random", "--primitives", ops, "--run-dir", tmp_path / "run")
    assert outcome.code == 0
    record = json.loads(outcome.out)
    assert outcome.out.count("\n") == 1
    assert set(record) == {"folder", "best", "table"}
    assert record["folder"] == str(tmp_path / "run")
    assert str(kdzero_gp.load(tmp_path / "run" / "best.json").tree) == record["best"]
    assert {row["kind"] for row in record["table"]} == {"random", "method", "alone"}
    assert "random search gen   1" in outcome.err
    assert "loadingloading" in outcome.err


def test_show_draws_the_winner(invoke: Any, tiny: Any, tmp_path: Path) -> None:
    outcome = invoke(
        *tiny,
        "--show",
        "--selection",
        "nsga2",
        "--no-baselines",
        "--seed-methods",
        "kd, sp",
        "--run-dir",
        tmp_path / "r",
    )
    assert outcome.code == 0
    assert "weight" in outcome.out[outcome.out.index("Test accuracy") :]
    lines = [json.loads(line) for line in history(tmp_path / "r").splitlines()]
    first = [(line["operator"], re.sub(r"^weight\([^,]*, ", "", line["tree"])) for line in lines if line["rung"] == 0]
    assert first[:2] == [("seed", "kl(logits, 4))"), ("seed", "l2(norm_c(mm(stage3))))")]


def test_the_default_folder_has_date_and_pair(
    invoke: Any, tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = invoke(*tiny, "--gens", 0, "--no-baselines", "--leader-seeds", 0)
    assert outcome.code == 0
    (folder,) = (tmp_path / "runs").iterdir()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d_cnn4-cnn2", folder.name)
    shutil.rmtree(folder)


def test_list_primitives(invoke: Any, tmp_path: Path) -> None:
    ops = tmp_path / "my_ops.py"
    ops.write_text(
        "from kdzero_gp import Map, transform\nprint('noise')\n"
        '@transform(Map, formula=r"2x")\ndef doubled(x):\n    """Twice the map."""\n    return 2 * x\n'
    )
    outcome = invoke("--list-primitives", "--json", "--primitives", ops)
    assert outcome.code == 0
    rows = {row["name"]: row for row in json.loads(outcome.out)}
    assert rows["doubled"] == {
        "name": "doubled",
        "kind": "transform",
        "types": ["(Map) -> Map"],
        "formula": "2x",
        "space": "table1",
        "description": "Twice the map.",
        "source": f"{ops}:3",
    }
    assert {"kl", "l2", "satt", "weight", "add"} <= set(rows)
    assert rows["kl"]["source"].startswith("primitives/distances/")
    table = invoke("--list-primitives", "--primitives", ops).out
    line = next(line for line in table.splitlines() if "doubled" in line)
    for part in ("transform", "(Map) -> Map", "2x", "table1"):
        assert part in line
    without = invoke("--list-primitives", "--json")
    assert set(rows) - {row["name"] for row in json.loads(without.out)} == {"doubled"}


def test_list_taps(invoke: Any) -> None:
    outcome = invoke("--list-taps", "--teacher", "cnn4", "--limit", 128)
    assert outcome.code == 0
    for name in ("stage1", "stage2", "stage3", "pool", "logits", "(4, 8, 8)", "(2, 8, 8)"):
        assert name in outcome.out


def test_nothing_left_to_do_is_said_and_changes_nothing(invoke: Any, whole_run: Any, tmp_path: Path) -> None:
    folder = tmp_path / "finished"
    shutil.copytree(whole_run[0], folder)
    before = contents(folder)
    for options in ((), ("--seed", 3, "--pop", 3), ("--workers", 2)):
        outcome = invoke("--resume", folder, *options)
        assert (outcome.code, outcome.err) == (0, "")
        assert "is finished: nothing is left to do, and nothing was changed" in outcome.out
    assert "Test accuracy" in outcome.out
    record = json.loads(invoke("--resume", folder, "--json").out)
    with RunStore.read(folder) as store:
        assert record["table"] == store.result("final")["rows"]
    assert contents(folder) == before


def test_the_library_call_is_the_command(whole_run: Any, tmp_path: Path, teacher_cache: str) -> None:
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    result = kdzero_gp.search(
        teacher="cnn4",
        limit=128,
        pop=3,
        gens=1,
        proxy_epochs=1,
        epochs=1,
        final_seeds=1,
        finalists=2,
        leaders=2,
        leader_seeds=1,
        batch_size=32,
        rungs=2,
        seed=3,
        workers=1,
        run_dir=tmp_path / "run",
    )
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == (threads, deterministic)
    assert history(tmp_path / "run") == history(whole_run[0])
    again = kdzero_gp.search(resume=tmp_path / "run")
    assert [str(i.tree) for i in again.individuals] == [str(i.tree) for i in result.individuals]
    assert [i.value for i in again.individuals] == [i.value for i in result.individuals]
    assert again.table == result.table
    assert again.best is not None
    assert result.best is not None
    assert str(again.best.tree) == str(result.best.tree)
    assert again.best.calibration.tolist() == result.best.calibration.tolist()
