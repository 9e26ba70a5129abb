"""A real receiver of webhooks on the loopback: HTTPS, an authority of its own, the documented check."""

from __future__ import annotations

import json
import re
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from frostbyte.deploy.authority import Authority

PAGE = Path(__file__).parents[2] / "docs" / "webhooks.md"
Check = Callable[[dict[str, str], bytes, list[str], float], str]


def documented_check() -> Check:
    """`verified(headers, body, secrets, now)` as docs/webhooks.md gives it to people who write a receiver."""
    [source] = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(source, str(PAGE), "exec"), names)
    check: Check = names["verified"]
    return check


@dataclass
class Message:
    """What came in."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> dict[str, Any]:
        """The body."""
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found

    def verified(self, *secrets: str, now: float | None = None) -> str:
        """Its id, if the documented check takes it; raises ValueError if not."""
        return documented_check()(self.headers, self.body, list(secrets), time.time() if now is None else now)


@dataclass
class Receiver:
    """Answers as it is told, and keeps what it was sent.

    Attributes:
        answers: status and headers for the next messages; when none is left, 204.
        hold: seconds before it answers.
    """

    folder: Path
    host: str = "localhost"
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    hold: float = 0.0
    messages: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        authority = Authority(self.folder / "receiver", "", domain=self.host)
        authority.server("edge", [self.host])
        self.ca_file = authority.ca_file
        self._place = authority.ca_file.parent / "edge"
        self._came = threading.Condition()

    def __enter__(self) -> Receiver:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                receiver._take(self)

            do_GET = do_POST

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._place / "public.crt", self._place / "private.key")
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *args: None  # type: ignore[method-assign]  # who hangs up is no error here
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def place(self) -> str:
        """As a tenant's configuration names it."""
        return f"{self.host}:{self._server.server_port}"

    @property
    def url(self) -> str:
        """What is registered."""
        return f"https://{self.place}/hooks/frostbyte?of=tests"

    def wait(self, count: int, seconds: float = 20.0) -> list[Message]:
        """What came, once there are so many."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.messages) >= count, seconds), len(self.messages)
            return list(self.messages)

    def _take(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        with self._came:
            status, more = self.answers.pop(0) if self.answers else (204, {})
            self.messages.append(Message(handler.path, headers, body))
            self._came.notify_all()
        time.sleep(self.hold)
        handler.send_response(status)
        for name, value in more.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
