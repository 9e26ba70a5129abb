"""An OpenID issuer on loopback: real requests, real signatures, people who sign in with one click."""

from __future__ import annotations

import base64
import html
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, quote, unquote_plus, urlsplit

import msgspec

from frostbyte.adapters.oidc.memory import MemoryIssuer
from frostbyte.kernel.clock import Clock, SystemClock
from frostbyte.kernel.errors import FrostbyteError

Answer = tuple[int, str, bytes]
"""Status, media type, content."""


class OidcServer:
    """An issuer's server, until the end of its `with` block.

    Attributes:
        issuer: who decides; its people may be changed at any time.
        spoilt: by path, an answer that is given in place of the right one.
        asked: the paths that were asked for, in order.
        shown: how clients showed themselves: `basic`, `post` or `none`.
    """

    def __init__(self, clock: Clock | None = None, **issuer: Any) -> None:
        self._server = _Quiet(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.issuer = MemoryIssuer(clock or SystemClock(), issuer=self.url, **issuer)
        self.spoilt: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.shown: list[str] = []
        self.methods: tuple[str, ...] | None = None
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> OidcServer:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, method: str, target: str, body: bytes, authorization: str) -> tuple[Answer, str]:
        """(answer, where it leads to or '')."""
        path = urlsplit(target).path
        self.asked.append(path)
        if path in self.spoilt:
            return self.spoilt[path], ""
        if path == "/.well-known/openid-configuration":
            said = msgspec.to_builtins(self.issuer.provider())
            if self.methods is not None:
                said["token_endpoint_auth_methods_supported"] = self.methods
            return _json(200, said), ""
        if path == "/keys":
            return _json(200, {"keys": list(self.issuer.keys())}), ""
        if path == "/authorize":
            return self._page(target)
        if path == "/token" and method == "POST":
            return self._token(body, authorization), ""
        return _json(404, {}), ""

    def _page(self, target: str) -> tuple[Answer, str]:
        """Who is known, each with a link; and with `&person=` what the link leads to."""
        asked, _, person = target.partition("&person=")
        if person:
            try:
                return (302, "text/plain", b""), self.issuer.answered(f"{self.url}{asked}", unquote_plus(person))
            except ValueError as error:
                return (400, "text/plain", str(error).encode()), ""
        links = "".join(
            f'<li><a href="{html.escape(asked)}&amp;person={quote(name)}">{html.escape(name)}</a></li>'
            for name in [*self.issuer.people, "nobody"]
        )
        head = '<!doctype html><html lang="en"><title>Issuer</title><link rel="icon" href="data:,">'
        page = f"{head}<h1>Who are you?</h1><ul>{links}</ul>"
        return (200, "text/html; charset=utf-8", page.encode()), ""

    def _token(self, body: bytes, authorization: str) -> Answer:
        form = {name: values[0] for name, values in parse_qs(body.decode(), keep_blank_values=True).items()}
        client, secret = form.get("client_id", ""), form.get("client_secret", "")
        self.shown.append("basic" if authorization else "post" if secret else "none")
        if authorization:
            named = base64.b64decode(authorization.removeprefix("Basic ")).decode()
            client, secret = (unquote_plus(part) for part in named.split(":", 1))
        try:
            token = self.issuer.exchanged(client, secret, form["code"], form["code_verifier"], form["redirect_uri"])
        except FrostbyteError as error:
            unknown = error.code == "oidc_client_refused"
            return _json(401 if unknown else 400, {"error": "invalid_client" if unknown else "invalid_grant"})
        return _json(200, {"access_token": "of no use here", "token_type": "Bearer", "id_token": token})


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was not waited for went away: nothing."""


def _json(status: int, value: Any) -> Answer:
    return status, "application/json", json.dumps(value).encode()


def _handler(server: OidcServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._serve("GET")

        def do_POST(self) -> None:
            self._serve("POST")

        def _serve(self, method: str) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            answer, leads = server.answer(method, self.path, body, self.headers.get("authorization", ""))
            status, media_type, content = answer
            self.send_response(status)
            self.send_header("content-type", media_type)
            self.send_header("content-length", str(len(content)))
            if leads:
                self.send_header("location", leads)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    return Handler
