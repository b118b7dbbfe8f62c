"""Code that a folder names: run where the user named it or ran it before, and only while it is the same."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from kdzero_gp import search
from kdzero_gp.errors import ConfigError
from kdzero_gp.grammar.registry import default_registry
from kdzero_gp.pair.own_code import CODE, code_digests, remember_code, require_known_code, require_same_code
from kdzero_gp.run.config import RunConfig, make_config
from kdzero_gp.store import RunStore
from kdzero_gp.train.session import train

OPERATION = '''
from pathlib import Path
from torch import Tensor
from kdzero_gp import Map, transform
Path({mark!r}).touch()
@transform(Map, formula=r"f(x)")
def own_{name}(x: Tensor) -> Tensor:
    """Something of one's own."""
    return {factor} * x
'''
SMALL: dict[str, Any] = {
    "pop": 2, "gens": 0, "epochs": 1, "proxy_epochs": 1, "limit": 200, "baselines": False, "leader_seeds": 0,
    "final_seeds": 1, "finalists": 1, "workers": 1,
}  # fmt: skip


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KDZERO_GP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def operations(tmp_path: Path) -> Path:
    path = tmp_path / "operations.py"
    path.write_text(OPERATION.format(mark=str(tmp_path / "ran"), name="plain", factor=2))
    return path


def config(operations: Path, **options: Any) -> RunConfig:
    return make_config(primitives=[str(operations)], **options)


def test_strange_code_must_be_named(operations: Path, tmp_path: Path) -> None:
    stored = config(operations).identity
    with pytest.raises(ConfigError, match=r"primitives of somebody's own, .*operations.py, .* add --primitives"):
        require_known_code(tmp_path, stored, {})
    require_known_code(tmp_path, stored, {"primitives": [str(operations)]})
    require_known_code(tmp_path, stored, {"primitives": [operations]})
    with pytest.raises(ConfigError, match="add --primitives"):
        require_known_code(tmp_path, stored, {"primitives": [str(tmp_path / "others.py")]})
    assert not (tmp_path / "ran").exists()


def test_code_that_this_user_ran_before_is_known_until_it_changes(operations: Path, tmp_path: Path) -> None:
    remember_code(config(operations))
    remember_code(config(operations))
    require_known_code(tmp_path, config(operations).identity, {})
    elsewhere = tmp_path / "elsewhere.py"  # beside it may lie another file of the name that it imports
    elsewhere.write_bytes(operations.read_bytes())
    with pytest.raises(ConfigError, match=r"elsewhere.py, whose code"):
        require_known_code(tmp_path, config(elsewhere).identity, {})
    operations.write_text(operations.read_text() + "\n")
    with pytest.raises(ConfigError, match="you have not run it here before"):
        require_known_code(tmp_path, config(operations).identity, {})


def test_a_file_that_is_not_there_is_not_known(tmp_path: Path) -> None:
    stored = {"primitives": [str(tmp_path / "gone.py"), str(tmp_path)], "teacher": "cnn8", "student": "cnn2"}
    with pytest.raises(ConfigError, match=r"gone.py"):
        require_known_code(tmp_path, stored, {})
    for strange in ({"primitives": 7}, {"primitives": [["a"]]}, {"teacher": None}, {}):
        if "primitives" in strange and isinstance(strange["primitives"], list):
            with pytest.raises(ConfigError, match="add --primitives"):
                require_known_code(tmp_path, strange, {})
        else:
            require_known_code(tmp_path, strange, {})


@pytest.mark.parametrize("role", ["teacher", "student"])
def test_networks_are_looked_up_without_running_them(
    role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "own_nets"
    package.mkdir()
    code = f"from pathlib import Path\nPath({str(tmp_path / 'ran')!r}).touch()\n"
    (package / "__init__.py").write_text(code)
    (package / "small.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    stored = {"teacher": "cnn8", "student": "cnn2", role: "own_nets.small:net"}
    with pytest.raises(ConfigError, match=rf"a {role} of somebody's own, own_nets.small:net, .* add --{role} own_nets"):
        require_known_code(tmp_path, stored, {})
    require_known_code(tmp_path, stored, {role: "own_nets.small:net"})
    known = make_config(**{role: "own_nets.small:net"})
    assert list(code_digests(known)) == [f"--{role} own_nets.small:net"]
    remember_code(known)
    require_known_code(tmp_path, stored, {})
    assert not (tmp_path / "ran").exists()


def test_changed_files_are_refused_with_the_difference(operations: Path, tmp_path: Path) -> None:
    weights = tmp_path / "teacher.safetensors"
    weights.write_bytes(b"one")
    known = config(operations, teacher_weights=str(weights))
    before = code_digests(known)
    assert before == {
        f"--primitives {operations}": before[f"--primitives {operations}"],
        f"--teacher-weights {weights}": hashlib.sha256(b"one").hexdigest(),
    }
    require_same_code(tmp_path, before, known, what="run")
    require_same_code(tmp_path, None, known, what="run")  # an older version's folder
    weights.write_bytes(b"two")
    now = hashlib.sha256(b"two").hexdigest()[:16]
    with pytest.raises(ConfigError, match=rf"(?s)other files.*teacher.safetensors is {now}, it was 7692c3ad3540bb80"):
        require_same_code(tmp_path, before, known, what="run")
    operations.unlink()
    with pytest.raises(ConfigError, match=r"(?s)operations.py is not there, it was .*Restore them"):
        require_same_code(tmp_path, before, known, what="run")


def test_a_file_beside_belongs_to_the_code(operations: Path, tmp_path: Path) -> None:
    operations.write_text("import neighbour\n" + operations.read_text())
    (tmp_path / "neighbour.py").write_text("x = 1\n")
    known = config(operations)
    before = code_digests(known)
    remember_code(known)
    require_known_code(tmp_path, known.identity, {})
    (tmp_path / "neighbour.py").write_text("x = 2\n")
    with pytest.raises(ConfigError, match="you have not run it here before"):
        require_known_code(tmp_path, known.identity, {})
    with pytest.raises(ConfigError, match=r"operations.py is [0-9a-f]{16}, it was [0-9a-f]{16}"):
        require_same_code(tmp_path, before, known, what="run")


def test_a_pair_without_code_of_ones_own_stores_nothing(cache: Path) -> None:
    plain = make_config()
    remember_code(plain)
    assert code_digests(plain) == {}
    assert not cache.exists()


def test_a_run_and_a_training_go_on_with_their_own_code_alone(
    operations: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, teacher_cache: str
) -> None:
    monkeypatch.setenv("KDZERO_GP_CACHE", teacher_cache)
    monkeypatch.setattr("kdzero_gp.pair.own_code.cache_folder", lambda: tmp_path)
    with default_registry().copy().active():
        run = search(run_dir=tmp_path / "run", primitives=[str(operations)], **SMALL).folder
        options = {"epochs": 1, "limit": 200, "distiller": "weight(1, l2(own_plain(pool)))".replace("pool", "stage1")}
        trained = train(run_dir=tmp_path / "t", primitives=[str(operations)], **options).folder
        with RunStore.read(run) as store:
            assert list(store.config[CODE]) == [f"--primitives {operations}"]
        assert search(resume=run).folder == run
        assert train(resume=trained).folder == trained
        operations.write_text(operations.read_text().replace("2 * x", "3 * x"))
        for go_on, folder in ((search, run), (train, trained)):
            (tmp_path / "ran").unlink(missing_ok=True)
            with pytest.raises(ConfigError, match="you have not run it here before"):
                go_on(resume=folder)
            assert not (tmp_path / "ran").exists()
            with pytest.raises(ConfigError, match="began with other files"):
                go_on(resume=folder, primitives=[str(operations)])
