"""An `/embeddings` server on the loopback, which answers as told: honestly, or as no server should."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[dict[str, Any]], tuple[int, bytes]]


class EmbeddingServer:
    """Remembers what it was asked; `answer` turns a request into a status and a body."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.drip = 0.0
        """Seconds between the bytes of a body."""
        self.port = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1/embeddings"


@contextmanager
def serving(answer: Answer) -> Iterator[EmbeddingServer]:
    """A running server."""
    told = EmbeddingServer(answer)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            told.asked.append(body)
            told.headers.append({name.lower(): value for name, value in self.headers.items()})
            status, data = told.answer(body)
            self.send_response(status)
            if status in (301, 302, 307, 308):
                self.send_header("location", told.address)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            try:
                self._send(data)
            except OSError:  # the client has heard enough
                self.close_connection = True

        def _send(self, data: bytes) -> None:
            if not told.drip:
                self.wfile.write(data)
            for number in range(len(data) if told.drip else 0):
                self.wfile.write(data[number : number + 1])
                self.wfile.flush()
                time.sleep(told.drip)

        def log_message(self, *arguments: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    told.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def reply(vectors: list[Any]) -> tuple[int, bytes]:
    """What an honest server sends."""
    data = [{"object": "embedding", "index": number, "embedding": vector} for number, vector in enumerate(vectors)]
    return 200, json.dumps({"object": "list", "data": data, "model": "m", "usage": {}}).encode()
