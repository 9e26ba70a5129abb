"""One real plane behind its HTTP application, for the whole session: embedded servers, started loops."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI

from frostbyte.api.data.app import create_app
from frostbyte.bootstrap.data import Plane, build
from frostbyte.kernel.limits import Limiter
from frostbyte.kernel.settings import load
from frostbyte.kernel.tokens import Scope

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # starlette announces another client library; it is not ours to choose here
    from starlette.testclient import TestClient

CONTRACT = """Service agreement

Termination

Either party may terminate this agreement with ninety days written notice to the other party.

Payment

Invoices are payable within thirty days of receipt. Late payments bear interest of five percent a year.
"""


class Api:
    """The application as its clients see it."""

    def __init__(self, plane: Plane, app: FastAPI) -> None:
        self.plane = plane
        self.app = app
        self.client = TestClient(app, raise_server_exceptions=False)
        self.everything = self.token(*Scope)

    def token(self, *scopes: Scope, subject: str = "tester", hours: float = 1.0) -> str:
        """A token of the plane."""
        return self.plane.tokens.mint(subject, frozenset(scopes), timedelta(hours=hours))[0]

    def call(self, method: str, path: str, *, token: str | None = None, **more: Any) -> Any:
        """One request, with a token for everything unless another is named."""
        headers = dict(more.pop("headers", {})) | {"Authorization": f"Bearer {token or self.everything}"}
        prefix = "" if path.startswith("/api/") else "/api/v1"
        return self.client.request(method, prefix + path, headers=headers, **more)

    def send(self, *files: tuple[str, bytes], token: str | None = None, **headers: str) -> dict[str, Any]:
        """Upload files; the answer's body."""
        parts = [("files", (name, content, "application/octet-stream")) for name, content in files]
        answer = self.call("POST", "/ingest", token=token, files=parts, headers=headers)
        assert answer.status_code == 202, answer.text
        body = answer.json()
        assert isinstance(body, dict)
        return body

    def ended(self, batch_id: str, seconds: float = 60.0) -> dict[str, Any]:
        """The batch's status once every document has ended."""
        deadline = time.monotonic() + seconds
        while True:
            status = self.call("GET", f"/ingest/{batch_id}").json()
            if status["completed_at"]:
                assert isinstance(status, dict)
                return status
            assert time.monotonic() < deadline, status["counts"]
            time.sleep(0.1)

    def indexed(self, name: str, content: bytes) -> dict[str, Any]:
        """Upload one file and wait until it is indexed; its item in the batch's status, with the batch's id."""
        batch = self.send((name, content))
        [item] = self.ended(batch["batch_id"])["documents"]
        assert item["state"] == "indexed", (item["code"], item["message"])
        return item | {"batch_id": batch["batch_id"]}


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    """A started plane."""
    folder = tmp_path_factory.mktemp("api-plane")
    made = build(load({"FROSTBYTE_DATA_DIR": str(folder), "FROSTBYTE_WORKERS": "1"}))
    made.start()
    yield made
    made.close()


@pytest.fixture(scope="session")
def api(plane: Plane) -> Api:
    """The application with limits that no test reaches."""
    return Api(plane, create_app(plane, Limiter(dict.fromkeys(("ingest", "query", "audit", "total"), 10**6))))


@pytest.fixture(scope="session")
def contract(api: Api) -> dict[str, Any]:
    """An indexed document of two passages; tests do not change it."""
    return api.indexed("contract.txt", CONTRACT.encode())


@pytest.fixture
def refused() -> Callable[[Any, int, str], dict[str, Any]]:
    """Holds an answer to be a problem document with a status and a code."""

    def check(answer: Any, status: int, code: str) -> dict[str, Any]:
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        body: dict[str, Any] = answer.json()
        assert body["code"] == code, body
        assert body["status"] == status
        assert body["detail"]
        assert body["request_id"] == answer.headers["x-request-id"]
        return body

    return check
