"""Every route asks for the scope that docs/security.md names, and for nothing less."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from frostbyte.api.data import deciding, granting, ingest, jobs, keeping, people, reading, streams, webhooks
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.tokens import Scope

DOC = Path(__file__).parents[2] / "docs" / "security.md"
ROW = re.compile(r"^\| `(?P<route>/\S*)` \| (?P<method>[A-Z]+) \| (?P<scope>[^|]+) \|", re.MULTILINE)
ROUTES = [
    route
    for module in (ingest, streams, reading, deciding, keeping, granting, jobs, webhooks, people)
    for route in module.router.routes
]
OPEN = {("/health", "GET"), ("/ready", "GET"), ("/metrics", "GET")}


def scopes_of(dependant: Dependant) -> Iterator[Scope]:
    """The scopes that a route's dependencies ask for."""
    for inner in dependant.dependencies:
        yield from getattr(inner.call, "scopes", ())
        yield from scopes_of(inner)


def written() -> dict[tuple[str, str], frozenset[str]]:
    """The table in the document: route and method to scopes."""
    rows = {}
    for row in ROW.finditer(DOC.read_text(encoding="utf-8").partition("## Routes of the control plane")[0]):
        scopes = frozenset(re.findall(r"`([a-z]+)`", row["scope"]))
        assert scopes or row["scope"].strip() == "none"
        assert (row["route"], row["method"]) not in rows
        rows[row["route"], row["method"]] = scopes
    return rows


def built() -> dict[tuple[str, str], frozenset[str]]:
    """The same, from the code."""
    rows: dict[tuple[str, str], frozenset[str]] = {}
    for route in ROUTES:
        assert isinstance(route, APIRoute)
        for method in route.methods:
            rows[route.path, method] = frozenset(scope.value for scope in scopes_of(route.dependant))
    return rows


def test_the_table_is_the_code() -> None:
    code = built()
    assert all(code.values()), "a route under /api/v1 asks for no scope"
    assert written() == code | dict.fromkeys(OPEN, frozenset())


def test_the_application_has_no_other_routes(api: Any) -> None:
    told = {(path, method.upper()) for path, item in api.app.openapi()["paths"].items() for method in item}
    assert told == set(written())


def filled(path: str) -> str:
    """The route with ids of nothing."""
    return re.sub(r"\{[a-z_]+\}", lambda m: "1" if m[0] == "{number}" else str(new_id()), path)


@pytest.mark.parametrize(("path", "method"), sorted(built()))
def test_no_token_no_answer(
    path: str, method: str, api: Any, refused: Callable[[Any, int, str], dict[str, Any]]
) -> None:
    answer = api.client.request(method, filled(path))
    refused(answer, 401, "token_missing")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(("path", "method"), sorted(built()))
def test_every_other_scope_is_not_enough(
    path: str, method: str, api: Any, refused: Callable[[Any, int, str], dict[str, Any]]
) -> None:
    asked = built()[path, method]
    token = api.token(*(scope for scope in Scope if scope.value not in asked))
    refused(api.call(method, filled(path), token=token), 403, "scope_missing")


@pytest.mark.parametrize(("path", "method"), sorted(OPEN))
def test_open_routes_need_no_token_and_name_no_document(path: str, method: str, api: Any, contract: Any) -> None:
    answer = api.client.request(method, path)
    assert answer.status_code == 200
    assert contract["doc_id"] not in answer.text
    assert contract["filename"] not in answer.text
