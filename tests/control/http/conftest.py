"""A fresh control plane for each test, and what a refusal looks like."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from control.memory_plane import Admin, memory_plane


@pytest.fixture
def admin(tmp_path: Path) -> Admin:
    """The Admin API over an empty registry."""
    return Admin(memory_plane(tmp_path))


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
        assert body["remedy"]
        assert body["request_id"] == answer.headers["x-request-id"]
        return body

    return check
