"""Small gateways on the loopback, which say their name."""

from __future__ import annotations

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Upstream:
    """Answers every request with its name, and its health as it is told to."""

    def __init__(self, name: str, tls: ssl.SSLContext | None = None) -> None:
        self.name = name
        self.healthy = True
        self.requests = 0
        self.seen: dict[str, str] = {}
        self._tls = tls
        self._listens = False
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen, where it listened before."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 1 << 16  # an answer in one piece: two would wait for an acknowledgement each time

            def do_GET(self) -> None:
                health = self.path == "/health"
                if not health:
                    outer.requests += 1
                    outer.seen = {k.lower(): v for k, v in self.headers.items()}
                body = outer.name.encode()
                self.send_response(200 if outer.healthy or not health else 503)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                self.close_connection = not outer._listens

            def log_message(self, *args: Any) -> None:
                """Nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *args: Any) -> None:
                """A client that went away is no news."""

        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        if self._tls is not None:
            self._server.socket = self._tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._listens = True
        self._thread.start()

    def stop(self) -> None:
        """No longer listen, and end a connection with its next answer."""
        self._listens = False
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
