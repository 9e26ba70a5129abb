"""A small server that answers as a plane does, and what it says."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler
from typing import Any

BATCH = "01990000-0000-7000-8000-0000000000b1"
TOKEN = "header.eyJzdWIiOiAibWUiLCAic2NvcGVzIjogWyJxdWVyeSJdLCAiZXhwIjogMjAwMDAwMDAwMH0.signature"


def doc_id(number: int) -> str:
    """A document's id, with the version digit that the plane's have."""
    return f"0000000{number}-0000-8000-8000-000000000000"


@dataclass
class Request:
    """What a command sent."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def parts(self) -> list[tuple[str, str | None, bytes]]:
        """(name, filename, content) of a multipart body."""
        whole = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode() + self.body
        return [
            (
                str(part.get_param("name", header="content-disposition")),
                part.get_filename(),
                part.get_payload(decode=True),
            )
            for part in message_from_bytes(whole).get_payload()
        ]  # type: ignore[misc]


@dataclass
class FakePlane:
    """Answers by (method, path without query): JSON, bytes, (status, either), or a function of the request."""

    answers: dict[tuple[str, str], Any] = field(default_factory=dict)
    seen: list[Request] = field(default_factory=list)
    url: str = ""

    def on(self, method: str, path: str, answer: Any) -> None:
        """Answer this way from now on; `path` is below /api/v1 unless it begins with /health."""
        self.answers[method, path if path.startswith("/health") else f"/api/v1{path}"] = answer

    def problem(self, method: str, path: str, status: int, code: str, message: str, remedy: str = "") -> None:
        """Answer with an error."""
        body = {"type": "about:blank", "title": code, "status": status, "code": code, "detail": message}
        self.on(method, path, (status, body | {"remedy": remedy}))

    def last(self, method: str, path: str) -> Request:
        """The newest request of this kind."""
        return next(
            r for r in reversed(self.seen) if (r.method, r.path.partition("?")[0]) == (method, f"/api/v1{path}")
        )


class Handler(BaseHTTPRequestHandler):
    """Serves one FakePlane."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        plane: FakePlane = self.server.plane  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(self.command, self.path, dict(self.headers), body)
        plane.seen.append(request)
        answer = plane.answers.get((self.command, self.path.partition("?")[0]))
        if answer is None:
            answer = (404, {"code": "not_found", "detail": "No such thing.", "remedy": "Check the id."})
        if callable(answer):
            answer = answer(request)
        status, value = answer if isinstance(answer, tuple) else (200, answer)
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/octet-stream" if isinstance(value, bytes) else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = _serve


@dataclass
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, decoded."""
        return json.loads(self.out)


Run = Callable[..., Ended]


def item(number: int, state: str, **more: Any) -> dict[str, Any]:
    """A document as the plane describes it."""
    described = {
        "doc_id": doc_id(number),
        "receipt_id": f"r{number}",
        "file_id": str(number),
        "filename": f"file-{number}.txt",
        "outcome": "accepted",
        "state": state,
        "stage": None,
        "code": "",
        "message": "",
        "remedy": "",
        "pages": 1,
        "chunks": 2,
        "withheld": 0,
        "classification": "sop",
        "needs_review": False,
    }
    return described | more


def tally(found: int, **parts: Any) -> dict[str, Any]:
    """One unit of an account."""
    return {"found": found, "indexed": found, "redacted": 0, "withheld": 0, "dropped": {}} | parts


def report(documents: list[dict[str, Any]], rejected: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """An acceptance report over these documents."""
    refused = rejected or []
    states = [entry["state"] for entry in documents]
    names = ("received", "waiting", "indexed", "quarantined", "failed", "erased")
    return {
        "batch_id": BATCH,
        "tenant": "demo",
        "stand_ins": [],
        "totals": {"received": len(documents) + len(refused), "rejected": len(refused), "duplicates": 0}
        | {name: states.count(name) for name in names if name != "received"},
        "account": {
            "pages": tally(3),
            "characters": tally(900, indexed=880, redacted=20),
            "cells": tally(0),
            "images": tally(0),
        },
        "documents": documents,
        "rejected": refused,
        "problems": [
            {key: entry[key] for key in ("filename", "code", "message", "remedy")}
            for entry in (*documents, *refused)
            if entry["code"]
        ],
    }
