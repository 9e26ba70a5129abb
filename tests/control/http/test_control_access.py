"""Every route of the Admin API asks for a role that docs/security.md names, and counts each caller."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from control.memory_plane import ROOT, Admin, memory_plane
from frostbyte.api.control.access import PER_MINUTE
from frostbyte.api.control.app import routes
from frostbyte.api.http.access import scopes_of
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.limits import Limiter
from frostbyte.kernel.tokens import Role, Scope, TokenSigner, control_realm, plane_realm

DOC = Path(__file__).parents[3] / "docs" / "security.md"
ROW = re.compile(r"^\| `(?P<route>/\S*)` \| (?P<method>[A-Z]+) \| (?P<role>[^|]+) \|", re.MULTILINE)
OPEN = {("/health", "GET"), ("/ready", "GET"), ("/metrics", "GET")}
Refused = Callable[[Any, int, str], dict[str, Any]]


def written() -> dict[tuple[str, str], frozenset[str]]:
    """The table in the document: route and method to roles."""
    text = DOC.read_text(encoding="utf-8").partition("## Routes of the control plane")[2].partition("\n## ")[0]
    rows = {}
    for row in ROW.finditer(text):
        assert (row["route"], row["method"]) not in rows
        rows[row["route"], row["method"]] = frozenset(re.findall(r"`([a-z]+)`", row["role"]))
    return rows


BUILT = {
    (route.path, method): frozenset(role.value for role in scopes_of(route))
    for route in routes()
    for method in route.methods
    if route.include_in_schema
}
GUARDED = sorted(set(BUILT) - OPEN)


def test_the_table_is_the_code() -> None:
    assert written() == BUILT
    assert {place for place, roles in BUILT.items() if not roles} == OPEN


def filled(path: str) -> str:
    """The route with ids of nothing."""
    named = {"tenant_id": "nobody", "key_id": "0" * 12}
    return re.sub(r"\{([a-z_]+)\}", lambda m: named.get(m[1], str(new_id())), path)


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Admin:
    """An Admin API that no test changes."""
    return Admin(memory_plane(tmp_path_factory.mktemp("control")))


@pytest.mark.parametrize(("path", "method"), GUARDED)
def test_no_token_no_answer_and_every_other_role_is_not_enough(
    path: str, method: str, still: Admin, refused: Refused
) -> None:
    answer = still.client.request(method, filled(path))
    refused(answer, 401, "token_missing")
    assert answer.headers["www-authenticate"] == "Bearer"
    others = [role for role in Role if role.value not in BUILT[path, method]]
    if others:
        headers = {"Authorization": f"Bearer {still.token(*others)}"}
        refused(still.client.request(method, filled(path), headers=headers), 403, "scope_missing")


def test_a_viewer_reads_and_an_operator_changes(admin: Admin, refused: Refused) -> None:
    tenant = admin.tenant("ACTIVE")
    for role in Role:
        assert admin.call("GET", f"/tenants/{tenant}", token=admin.token(role)).status_code == 200
    path, body = f"/tenants/{tenant}/suspend", {"reason": "payment"}
    for role in (Role.VIEWER, Role.AUDITOR):
        refused(admin.call("POST", path, json=body, token=admin.token(role)), 403, "scope_missing")
    assert admin.call("POST", path, json=body, token=admin.token(Role.OPERATOR)).status_code == 202
    refused(
        admin.call("POST", "/projects", json={"project_id": "x"}, token=admin.token(Role.OPERATOR)),
        403,
        "scope_missing",
    )


def test_tokens_of_planes_other_environments_and_other_keys_are_nothing_here(
    admin: Admin, tmp_path_factory: pytest.TempPathFactory, refused: Refused
) -> None:
    from frostbyte.adapters.secrets.token_keys import FileTokenKeys

    control, hour = admin.control, timedelta(hours=1)
    keys = FileTokenKeys(control.settings.keys_folder, control.clock)
    plane = TokenSigner(keys.keys, plane_realm("acme"), control.clock).mint("ann", frozenset(Scope), hour)[0]
    refused(admin.call("GET", "/tenants", token=plane), 401, "token_wrong_audience")
    other = TokenSigner(keys.keys, control_realm("staging"), control.clock).mint("ann", frozenset(Role), hour)[0]
    refused(admin.call("GET", "/tenants", token=other), 401, "token_wrong_audience")
    foreign = Admin(memory_plane(tmp_path_factory.mktemp("foreign")))
    refused(admin.call("GET", "/tenants", token=foreign.everything), 401, "token_signature_wrong")
    refused(admin.call("GET", "/tenants", token="nonsense"), 401, "token_malformed")


def test_each_caller_has_sixty_requests_a_minute(tmp_path: Path, refused: Refused) -> None:
    assert PER_MINUTE == {"admin": 60}
    admin = Admin(memory_plane(tmp_path), Limiter(PER_MINUTE))
    ann, again, bob = admin.token(*Role), admin.token(Role.VIEWER), admin.token(Role.VIEWER, subject="bob")
    for _ in range(60):
        assert admin.call("GET", "/projects", token=ann).status_code == 200
    answer = admin.call("GET", "/tenants", token=ann)
    refused(answer, 429, "rate_limited")
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    refused(admin.call("GET", "/tenants", token=again), 429, "rate_limited")  # a second token is no second caller
    assert admin.call("GET", "/tenants", token=bob).status_code == 200
    assert admin.client.get("/health").status_code == 200


def test_bodies_are_bounded_and_every_answer_is_guarded(admin: Admin, refused: Refused) -> None:
    long = admin.call("POST", "/projects", content=b"{" + b" " * (1 << 20) + b"}")
    refused(long, 413, "body_too_large")
    endless = admin.call("POST", "/projects", content=iter([b"{}"]))
    refused(endless, 411, "length_required")
    answer = admin.call("GET", "/tenants")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(("path", "method"), sorted(OPEN))
def test_open_routes_name_no_tenant(path: str, method: str, admin: Admin) -> None:
    tenant = admin.tenant("ACTIVE")
    answer = admin.client.request(method, path)
    assert answer.status_code == 200
    assert tenant not in answer.text


def test_the_page_of_reference_needs_nothing_from_outside(admin: Admin) -> None:
    page = admin.client.get("/docs")
    assert page.status_code == 200
    assert f"{ROOT}/tenants/{{tenant_id}}/suspend" in page.text
    assert "<script" not in page.text
