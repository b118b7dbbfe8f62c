"""The gallery while a search runs: a small server that reads the run folders again and again and writes nothing.

It serves two things, the page and its data, both from memory: no path leads to a file. Requests for another host, or
from a page of another origin, are refused, so that no web page can read a run by way of the user's browser.
"""

import hashlib
import logging
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kdzero_gp.errors import KdzeroError
from kdzero_gp.gallery.json_block import json_block
from kdzero_gp.gallery.page import page
from kdzero_gp.gallery.plain_text import printable
from kdzero_gp.gallery.run_data import Drawn, run_data
from kdzero_gp.store import RunStore
from kdzero_gp.store.schema import DATABASE_NAME

SHORTEST = 1.0
"""Seconds between two looks at the run folders."""
PATIENCE = 4.0
"""After a look that took long, it rests this many times as long as it took: the search needs the processor more."""
DRAWINGS = 40
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_log = logging.getLogger(__name__)


class LiveError(KdzeroError):
    """A live view that cannot be served."""


class LiveData:
    """The data of the runs as the page wants them, renewed when a run folder has changed and it is asked for.

    A folder that cannot be read (half written, locked, broken, gone) leaves what was read of it before, and a message.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = [Path(folder) for folder in folders]
        self._drawn = Drawn()
        self._runs: dict[Path, dict[str, Any]] = {}
        self._problems: dict[Path, str] = {}
        self._states: dict[Path, object] = {}
        self._lock = threading.Lock()
        self._next_look = 0.0
        self._text = b""
        self._tag = ""

    def current(self) -> tuple[bytes, str]:
        """The data as JSON and their entity tag."""
        with self._lock:
            if time.monotonic() >= self._next_look:
                began = time.monotonic()
                news = [self._look(folder) for folder in self.folders]  # all of them, so no generator
                if any(news) or not self._text:
                    data = {"runs": list(self._runs.values()), "problems": list(self._problems.values())}
                    self._text = json_block(data).encode("utf-8")
                    self._tag = f'"{hashlib.sha256(self._text).hexdigest()[:32]}"'
                self._next_look = time.monotonic() + max(SHORTEST, PATIENCE * (time.monotonic() - began))
            return self._text, self._tag

    def _look(self, folder: Path) -> bool:
        """Reads a run if its files have changed; whether there is news."""
        state = _file_state(folder)
        if state == self._states.get(folder, ()):
            return False
        self._states[folder] = state
        try:
            with RunStore.read(folder) as store:
                self._runs[folder] = run_data(store, most=DRAWINGS, drawn=self._drawn)
            self._problems.pop(folder, None)
        except Exception as error:  # a folder is not trusted: whatever is wrong with it, the view goes on
            if not isinstance(error, KdzeroError):
                _log.warning("the run in %s cannot be shown", folder, exc_info=True)
            self._states.pop(folder, None)  # to be tried again, whether or not the files change
            message = f"{folder.name} cannot be read at the moment: {error}"
            before = self._problems.get(folder)
            self._problems[folder] = printable(message, limit=1000)
            return self._problems[folder] != before
        return True


def _file_state(folder: Path) -> object:
    """What changes when the run's database does; None for a file that is not there."""
    found: list[tuple[int, int, int] | None] = []
    for end in ("", "-wal"):
        try:
            status = (folder / f"{DATABASE_NAME}{end}").stat()
        except OSError:
            found.append(None)
        else:
            found.append((status.st_ino, status.st_size, status.st_mtime_ns))
    return tuple(found)


class LiveServer(ThreadingHTTPServer):
    """Serves the live page of some run folders; `port` 0 takes a free one.

    Raises:
        LiveError: the address cannot be used.
    """

    daemon_threads = True

    def __init__(self, folders: Sequence[Path], *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.data = LiveData(folders)
        self.page = page(None).encode("utf-8")
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as error:
            raise LiveError(
                f"the live view cannot listen on {host}, port {port}: {error}; give another --port, 0 takes a free one"
            ) from error
        self.allowed = frozenset(f"{name}:{self.server_port}" for name in (*LOOPBACK, host))

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that goes away in the middle of an answer is no news; anything else goes to the log."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            _log.warning("a request from %s failed", client_address, exc_info=True)

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{self.server_address[0]!s}:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    server: LiveServer
    timeout = 30

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        refused = self._refusal()
        path = urlsplit(self.path).path
        if refused is not None:
            self._send(HTTPStatus.FORBIDDEN, "text/plain; charset=utf-8", refused.encode("ascii"), body=body)
        elif path in ("/", "/index.html"):
            self._send(HTTPStatus.OK, "text/html; charset=utf-8", self.server.page, body=body)
        elif path == "/data.json":
            text, tag = self.server.data.current()
            if self.headers.get("If-None-Match") == tag:
                self._send(HTTPStatus.NOT_MODIFIED, None, b"", body=False, tag=tag)
            else:
                self._send(HTTPStatus.OK, "application/json; charset=utf-8", text, body=body, tag=tag)
        else:
            self._send(HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", b"there is / and /data.json\n", body=body)

    def _refusal(self) -> str | None:
        """Why a request is not answered: another host's name, or a page of another origin behind it."""
        if self.headers.get("Host", "") not in self.server.allowed:
            return "this server answers under its own address alone\n"
        origin = self.headers.get("Origin")
        if origin is not None and origin.removeprefix("http://") not in self.server.allowed:
            return "pages of other origins are not answered\n"
        if self.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            return "pages of other sites are not answered\n"
        return None

    def _send(
        self, status: HTTPStatus, kind: str | None, content: bytes, *, body: bool, tag: str | None = None
    ) -> None:
        headers: Mapping[str, str | None] = {
            "Content-Type": kind,
            "Content-Length": str(len(content)),
            "ETag": tag,
            "Cache-Control": "no-cache",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
        }
        self.send_response(status)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Requests are not logged: the page asks every other second."""
