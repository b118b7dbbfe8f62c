"""The live view's server: what it answers, whom it refuses, and that no run folder brings it down."""

import http.client
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kdzero_gp.browse import live_data
from kdzero_gp.browse.live import LiveError, LiveServer
from kdzero_gp.browse.live_data import LiveData
from kdzero_gp.drawing.reading import Reading
from kdzero_gp.store import RunStore
from kdzero_gp.store.schema import DATABASE_NAME
from tests.gallery.sample_run import HOSTILE

Recorder = Callable[..., None]
TREE = "weight(1, l1(pool))"


@pytest.fixture(autouse=True)
def no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_data, "SHORTEST", 0.0)
    monkeypatch.setattr(live_data, "PATIENCE", 0.0)


@pytest.fixture
def server(store: RunStore) -> Iterator[LiveServer]:
    with LiveServer([store.folder]) as opened:
        thread = threading.Thread(target=opened.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield opened
        opened.shutdown()
        thread.join()


def ask(
    server: LiveServer, path: str, method: str = "GET", host: str | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=120)
    try:
        connection.putrequest(method, path, skip_host=True)
        connection.putheader("Host", host or f"127.0.0.1:{server.server_port}")
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def test_the_page_and_its_data(server: LiveServer, record: Recorder) -> None:
    record(0, TREE, 1.0)
    status, headers, body = ask(server, "/")
    assert (status, body) == (200, server.page)
    assert headers["X-Content-Type-Options"] == "nosniff"
    status, headers, body = ask(server, "/data.json")
    assert json.loads(body)["runs"][0]["rows"]["tree"] == [TREE]
    assert ask(server, "/data.json", If_None_Match=headers["ETag"])[0] == 304
    record(1, TREE.replace("l1", "l2"), 0.5)
    status, later, body = ask(server, "/data.json", If_None_Match=headers["ETag"])
    assert (status, len(json.loads(body)["runs"][0]["rows"]["tree"])) == (200, 2)
    assert later["ETag"] != headers["ETag"]


def test_head_and_other_methods(server: LiveServer) -> None:
    status, headers, body = ask(server, "/", method="HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["Content-Length"]) == len(server.page)
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert ask(server, "/data.json", method=method)[0] == 501


@pytest.mark.parametrize(
    "path",
    [
        "/run.sqlite",
        "/../run.sqlite",
        "/%2e%2e/run.sqlite",
        "/gallery/",
        "//etc/passwd",
        "/etc/passwd",
        "/data.json/..",
        "/index.html%00",
        "/config.yaml",
    ],
)
def test_no_path_leads_to_a_file(server: LiveServer, path: str) -> None:
    status, _, body = ask(server, path)
    assert status == 404
    assert body == b"there is /, /data.json and /card/RUN/SEARCH/NUMBER\n"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:{port}"])
def test_other_hosts_are_refused(server: LiveServer, host: str) -> None:
    for path in ("/", "/data.json"):
        assert ask(server, path, host=host.format(port=server.server_port))[0] == 403


def test_the_machines_own_names_are_answered(server: LiveServer) -> None:
    for name in ("127.0.0.1", "localhost", "[::1]"):
        assert ask(server, "/", host=f"{name}:{server.server_port}")[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_pages_of_other_origins_are_refused(server: LiveServer, headers: dict[str, str]) -> None:
    filled = {name: value.format(port=server.server_port) for name, value in headers.items()}
    assert ask(server, "/data.json", **filled)[0] == 403
    own = f"http://127.0.0.1:{server.server_port}"
    assert ask(server, "/data.json", Origin=own, Sec_Fetch_Site="same-origin")[0] == 200


def test_a_folder_that_breaks_leaves_what_was_read_and_a_message(
    store: RunStore, record: Recorder, tmp_path: Path
) -> None:
    record(0, TREE, 1.0)
    folder = tmp_path / "copy"
    data = LiveData([folder])

    def now() -> dict[str, list[object]]:
        read: dict[str, list[object]] = json.loads(data.current()[0])
        return read

    before = now()
    assert (before["runs"], len(before["problems"])) == ([], 1)  # not there yet
    store.close()
    shutil.copytree(store.folder, folder)
    assert len(now()["runs"]) == 1
    assert now()["problems"] == []
    whole = (folder / DATABASE_NAME).read_bytes()
    for broken in (whole[: len(whole) // 2], b"", b"\x00" * 4096, b"not a database" * 400):
        (folder / DATABASE_NAME).write_bytes(broken)
        after = now()
        assert len(after["runs"]) == 1
        assert len(after["problems"]) == 1
    (folder / DATABASE_NAME).write_bytes(whole)
    assert now()["problems"] == []


def test_a_reader_that_fails_for_reasons_of_its_own_is_survived(
    store: RunStore, record: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **options: object) -> None:
        raise ZeroDivisionError("odd")

    monkeypatch.setattr(live_data, "run_data", fail)
    assert "odd" in json.loads(LiveData([store.folder]).current()[0])["problems"][0]


def test_a_browser_that_goes_away_is_no_news(server: LiveServer, capfd: pytest.CaptureFixture[str]) -> None:
    for error in (BrokenPipeError("gone"), ConnectionResetError("gone")):
        try:
            raise error
        except ConnectionError:
            server.handle_error(None, ("127.0.0.1", 1))
    assert capfd.readouterr() == ("", "")


def test_an_address_in_use_is_said(server: LiveServer, store: RunStore) -> None:
    with pytest.raises(LiveError, match="--port"):
        LiveServer([store.folder], port=server.server_port)


def card_of(server: LiveServer, path: str) -> tuple[int, bytes]:
    status, _, body = ask(server, path)
    return status, body


def test_any_distillers_card_is_drawn_on_demand(server: LiveServer, record: Recorder) -> None:
    for number in range(3):
        record(number, f"weight({number + 1}, l1(pool))", 1.0 + number)
    record(3, HOSTILE, 9.0)
    record(0, TREE, 2.0, arm="random")
    run = json.loads(ask(server, "/data.json")[2])["runs"][0]
    assert (set(run["cards"]), run["packed"]["chunks"], run["at"]) == ({"evolve/0"}, [], 0)
    for place in ("evolve/0", "evolve/2", "random/0"):
        status, headers, body = ask(server, f"/card/0/{place}")
        assert (status, headers["Content-Type"]) == (200, "application/json; charset=utf-8")
        assert {"drawing", "file", "python", "latex"} <= set(json.loads(body))
        assert card_of(server, f"/card/0/{place}") == (200, body)
    status, body = card_of(server, "/card/0/evolve/3")
    assert (status, set(json.loads(body))) == (200, {"problem"})
    assert b"<" not in body


@pytest.mark.parametrize("path", ["/card/0/evolve/7", "/card/1/evolve/0", "/card/0/random/0", "/card/9999/evolve/1"])
def test_a_card_that_is_not_there(server: LiveServer, record: Recorder, path: str) -> None:
    record(1, TREE, 1.0)
    ask(server, "/data.json")
    assert card_of(server, path) == (404, b"there is no such distiller\n")


@pytest.mark.parametrize(
    "path",
    [
        "/card/0/evolve/../../run.sqlite",
        "/card/0/evolve/0/",
        "/card/0/evolve/00",
        "/card/00/evolve/0",
        "/card/0/evolve/0?x=1",
        "/card/0/evolve/0%00",
        "/card/-1/evolve/0",
        "/card/0/other/0",
        "/card/0/evolve/%D9%A3",
        "/card/0/evolve/9999999999999999999999",
        "/card//evolve/0",
        "/card/0/evolve%2F0",
    ],
)
def test_a_cards_path_is_read_strictly(server: LiveServer, record: Recorder, path: str) -> None:
    record(0, TREE, 1.0)
    ask(server, "/data.json")
    assert card_of(server, path)[0] == 404


def test_cards_are_refused_like_everything_else(server: LiveServer, record: Recorder) -> None:
    record(0, TREE, 1.0)
    ask(server, "/data.json")
    assert ask(server, "/card/0/evolve/0", host="evil.example")[0] == 403
    assert ask(server, "/card/0/evolve/0", Origin="http://evil.example")[0] == 403
    assert ask(server, "/card/0/evolve/0", method="POST")[0] == 501


def test_cards_follow_the_run_and_few_are_kept(
    store: RunStore, record: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_data, "KEPT", 2)
    for number in range(4):
        record(number, f"weight({number + 1}, l1(pool))", 1.0 + number, calibration=(0.5,))
    data = LiveData([store.folder])
    data.current()
    before = data.card(0, ("evolve", 3))
    assert [data.card(0, ("evolve", number)) is not None for number in range(4)] == [True] * 4
    assert len(data._cards) == 2
    record(3, "weight(4, l1(pool))", 0.5, calibration=(0.25,), rung=1)
    data.current()
    after = data.card(0, ("evolve", 3))
    assert "calibration × 0.5" in (before or b"").decode()
    assert "calibration × 0.25" in (after or b"").decode()


def test_a_probe_measures_for_the_live_view(store: RunStore, record: Recorder) -> None:
    record(0, TREE, 1.0)
    record(1, TREE.replace("l1", "l2"), 2.0)
    data = LiveData([store.folder], lambda opened: lambda tree, evaluation: {"pool": Reading(1.5, 0.25, "live")})
    assert "|x| 1.5" in json.loads(data.current()[0])["runs"][0]["cards"]["evolve/0"]["drawing"]
    assert "|x| 1.5" in json.loads(data.card(0, ("evolve", 1)) or b"")["drawing"]
