"""Whether a worker lives, for container healthchecks and people: one small page on the loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from socket import socket
from typing import Any


class Health:
    """Answers `GET /health` with what `report` says: 200 where its status is `ok`, else 503."""

    def __init__(self, listener: socket, report: Callable[[], dict[str, Any]]) -> None:
        self._server = HTTPServer(listener.getsockname()[:2], _page(report), bind_and_activate=False)
        self._server.socket.close()
        self._server.socket = listener
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()


def _page(report: Callable[[], dict[str, Any]]) -> type[BaseHTTPRequestHandler]:
    class Page(BaseHTTPRequestHandler):
        timeout = 5.0  # of a client that sends nothing

        def do_GET(self) -> None:
            found = report() if self.path == "/health" else {"status": "not_found"}
            body = json.dumps(found).encode()
            self.send_response({"ok": 200, "not_found": 404}.get(found["status"], 503))
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: a request's line is not ours to log."""

    return Page
