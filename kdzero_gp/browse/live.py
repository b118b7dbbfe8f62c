"""The gallery while a search runs: a small server that reads the run folders again and again and writes nothing.

It serves three things, the page, its data and one distiller's card, all from memory: no path leads to a file. Requests
for another host, or from a page of another origin, are refused, so that no web page can read a run by way of the
user's browser.
"""

import logging
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from kdzero_gp.browse.live_data import LiveData
from kdzero_gp.errors import KdzeroError
from kdzero_gp.gallery.card_maker import Probe
from kdzero_gp.gallery.page import page
from kdzero_gp.store import RunStore

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
CARD = re.compile(r"/card/(0|[1-9][0-9]{0,3})/(evolve|random)/(0|[1-9][0-9]{0,11})")
"""The path of a card: place of the run, search, number."""
TEXT = "text/plain; charset=utf-8"
JSON = "application/json; charset=utf-8"
_log = logging.getLogger(__name__)


class LiveError(KdzeroError):
    """A live view that cannot be served."""


class LiveServer(ThreadingHTTPServer):
    """Serves the live page of some run folders.

    Args:
        port: 0 takes a free one.
        probe_of: gives what measures the nodes of a run's distillers, which the cards then show.

    Raises:
        LiveError: the address cannot be used.
        KdzeroError: from `probe_of`.
    """

    daemon_threads = True

    def __init__(
        self,
        folders: Sequence[Path],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        probe_of: Callable[[RunStore], Probe] | None = None,
    ) -> None:
        self.data = LiveData(folders, probe_of)
        self.page = page(None).encode("utf-8")
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as error:
            raise LiveError(
                f"the live view cannot listen on {host}, port {port}: {error}; give another --port, 0 takes a free one"
            ) from error
        self.allowed = frozenset(f"{name}:{self.server_port}" for name in (*LOOPBACK, host))

    def handle_error(self, request: object, client_address: object) -> None:
        """Logs what went wrong, but for a browser that went away in the middle of an answer."""
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
            self._send(HTTPStatus.FORBIDDEN, TEXT, refused.encode("ascii"), body=body)
        elif path in ("/", "/index.html"):
            self._send(HTTPStatus.OK, "text/html; charset=utf-8", self.server.page, body=body)
        elif path == "/data.json":
            self._send_data(body=body)
        elif match := CARD.fullmatch(self.path):
            place, arm, number = match.groups()
            card = self.server.data.card(int(place), (arm, int(number)))
            if card is None:
                self._send(HTTPStatus.NOT_FOUND, TEXT, b"there is no such distiller\n", body=body)
            else:
                self._send(HTTPStatus.OK, JSON, card, body=body)
        else:
            there = b"there is /, /data.json and /card/RUN/SEARCH/NUMBER\n"
            self._send(HTTPStatus.NOT_FOUND, TEXT, there, body=body)

    def _send_data(self, *, body: bool) -> None:
        text, tag = self.server.data.current()
        if self.headers.get("If-None-Match") == tag:
            self._send(HTTPStatus.NOT_MODIFIED, None, b"", body=False, tag=tag)
        else:
            self._send(HTTPStatus.OK, JSON, text, body=body, tag=tag)

    def _refusal(self) -> str | None:
        """Tells why a request is refused: another host's name, or a page of another origin behind it."""
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
