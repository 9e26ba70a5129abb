"""A plane that answers from a table, and the server in front of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from frostbyte.api.mcp.protocol import Service
from frostbyte.api.mcp.tools import Judged, Tools
from frostbyte.cli import verifier
from frostbyte.kernel.errors import FrostbyteError, NotFound

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "proof.json").read_text(encoding="utf-8"))
CHUNK: str = VECTORS["proof"]["answer"]["chunk_id"]


def verify(proof: Any) -> Judged:
    """The real verifier, with the vectors' key."""
    try:
        verdict = verifier.verify_proof(proof, VECTORS["verifier_key"])
    except verifier.Unreadable as error:
        raise ValueError(str(error)) from error
    return Judged(verdict.ok, verdict.checked, verdict.attested, [failure.name for failure in verdict.failures])


@dataclass
class Answering:
    """Answers by (method, path): a value, or an error that is raised. What was asked, and with which token."""

    answers: dict[tuple[str, str], Any] = field(default_factory=dict)
    asked: list[tuple[str, str, Any, str]] = field(default_factory=list)

    def json(self, method: str, path: str, *, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        self.asked.append((method, path, body, (headers or {}).get("Authorization", "")))
        answer = self.answers.get((method, path), NotFound("chunk_not_found", "There is no such chunk.", "Check it."))
        if isinstance(answer, FrostbyteError):
            raise answer
        return answer


def passage(**more: Any) -> dict[str, Any]:
    """A result of the plane's route `/query`."""
    shown = {
        "chunk_id": CHUNK,
        "doc_id": VECTORS["proof"]["answer"]["doc_id"],
        "filename": "vertrag.pdf",
        "title": "Vertrag",
        "page": 1,
        "text": VECTORS["proof"]["answer"]["text"],
        "headings": ["§ 1"],
        "classification": "contract",
        "received_at": "2026-11-27T10:00:00.000000Z",
        "score": 0.5,
        "flags": [],
        "pii": [],
        "injection_score": 0.0,
    }
    return shown | more


@pytest.fixture
def plane() -> Answering:
    """A plane that holds the vectors' passage."""
    made = Answering()
    made.answers["POST", "/query"] = {"query_id": "q1", "results": [passage()]}
    made.answers["GET", f"/chunks/{CHUNK}"] = passage()
    made.answers["GET", f"/chunks/{CHUNK}/proof"] = VECTORS["proof"]
    return made


@pytest.fixture
def tools(plane: Answering) -> Tools:
    """Tools on that plane."""
    return Tools(plane, "https://docs.example", verify, "frostbyte-mcp/test")


@pytest.fixture
def service(tools: Tools) -> Service:
    """The protocol on these tools."""
    return Service(tools, "0.0.test")
