"""Operators' tokens, keys of machines and the environment's keys, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from control.memory_plane import Admin
from frostbyte.adapters.secrets.token_keys import FileTokenKeys
from frostbyte.bootstrap.switching import directives
from frostbyte.control_plane.registry.records import StandingRow
from frostbyte.kernel.directive import open_directive
from frostbyte.kernel.records import PlaneState
from frostbyte.kernel.tokens import Role
from frostbyte.kernel.verifying_keys import read

Refused = Callable[[Any, int, str], dict[str, Any]]


def said(admin: Admin) -> list[tuple[str, str]]:
    """(type, actor) of what was audited about access."""
    with admin.control.store.unit_of_work() as uow:
        events = uow.audit.unsequenced(1000)
    return [(event.type, event.actor) for event in events if event.type.startswith(("TOKEN_", "API_KEY_", "KEY_"))]


def test_an_operators_token_is_made_by_an_admin_used_and_revoked(admin: Admin, refused: Refused) -> None:
    body = {"subject": "bob", "scopes": ["operator"], "ttl_seconds": 600}
    for role in (Role.VIEWER, Role.OPERATOR, Role.AUDITOR):
        refused(admin.call("POST", "/tokens", json=body, token=admin.token(role)), 403, "scope_missing")
    made = admin.made("/tokens", body, 201)
    assert admin.call("GET", "/tenants", token=made["token"]).status_code == 200
    refused(admin.call("GET", "/keys", token=made["token"]), 403, "scope_missing")
    for _ in range(2):
        assert admin.call("DELETE", f"/tokens/{made['jti']}").status_code == 204
    refused(admin.call("GET", "/tenants", token=made["token"]), 401, "token_revoked")
    assert said(admin) == [("TOKEN_MINTED", "ann"), ("TOKEN_REVOKED", "ann")]
    refused(admin.call("POST", "/tokens", json=body | {"scopes": ["query"]}), 422, "request_invalid")


def test_a_machine_has_a_role_and_a_limit_of_its_own(admin: Admin, refused: Refused) -> None:
    made = admin.made("/api-keys", {"name": "billing", "scopes": ["viewer"], "ttl_seconds": 600}, 201)
    assert admin.call("GET", "/tenants", token=made["key"]).status_code == 200
    refused(admin.call("POST", "/projects", json={"project_id": "x"}, token=made["key"]), 403, "scope_missing")
    [listed] = admin.call("GET", "/api-keys").json()["api_keys"]
    assert listed["last_used_at"]
    assert made["key"] not in str(listed)
    assert admin.call("DELETE", f"/api-keys/{made['key_id']}").status_code == 204
    refused(admin.call("GET", "/tenants", token=made["key"]), 401, "api_key_revoked")
    assert said(admin) == [("API_KEY_CREATED", "ann"), ("API_KEY_REVOKED", "ann")]


def heard(admin: Admin, tenant: str) -> None:
    """The tenant's plane answered a good while after now."""
    keys = FileTokenKeys(admin.control.settings.keys_folder, admin.control.clock).keys()
    with admin.control.store.unit_of_work() as uow:
        row = uow.tenants.get(tenant)
        assert row is not None
        late = keys.made_at.replace(year=keys.made_at.year + 1)
        uow.standings.put(
            StandingRow(tenant_id=tenant, acknowledged_version=row.standing_version, acknowledged_at=late, code="")
        )
        uow.commit()


def test_the_environments_key_goes_when_every_plane_has_heard_of_the_next(admin: Admin, refused: Refused) -> None:
    tenant = admin.tenant("ACTIVE")
    old = admin.everything
    refused(admin.call("POST", "/keys/rotate", json={"retire_old": True}), 409, "key_still_needed")
    rotated = admin.call("POST", "/keys/rotate").json()["keys"]
    assert [key["state"] for key in rotated] == ["current", "previous"]
    assert admin.call("GET", "/tenants", token=old).status_code == 200
    refused(admin.call("POST", "/keys/retire"), 409, "key_still_needed")
    heard(admin, tenant)
    admin.everything = admin.token(*Role)
    assert [key["kid"] for key in admin.call("POST", "/keys/retire").json()["keys"]] == [rotated[0]["kid"]]
    refused(admin.call("GET", "/tenants", token=old), 401, "token_signature_wrong")
    assert [kind for kind, _ in said(admin)] == ["KEY_ROTATED", "KEY_RETIRED"]


def test_a_leaked_key_can_be_ended_at_once_at_the_price_of_planes(admin: Admin, refused: Refused) -> None:
    admin.tenant("ACTIVE")
    old = admin.everything
    assert admin.call("POST", "/keys/rotate", json={"retire_old": True, "force": True}).status_code == 200
    refused(admin.call("GET", "/tenants", token=old), 401, "token_signature_wrong")


def test_a_plane_follows_a_rotation_by_what_it_is_told_alone(admin: Admin) -> None:
    """From the key that it was installed with to the next, and on to the one after that."""
    tenant = admin.tenant("ACTIVE")
    control = admin.control
    keys = FileTokenKeys(control.settings.keys_folder, control.clock)
    sign = directives(keys, "", control.clock)
    believed = read([str(keys.keys().current.public)])
    with control.store.unit_of_work() as uow:
        row = uow.tenants.get(tenant)
    assert row is not None
    for _ in range(3):
        control.rotation.rotate(actor="ann")
        for _ in range(2):
            directive, kid = open_directive(sign(row, PlaneState.ACTIVE, "n" * 22), believed, tenant)
            believed = believed.replaced(directive.keys, kid)
        assert len(believed.keys) == 2
        control.rotation.retire(actor="ann", force=True)
        directive, kid = open_directive(sign(row, PlaneState.ACTIVE, "n" * 22), believed, tenant)
        believed = believed.replaced(directive.keys, kid)
        assert believed.written == [str(keys.keys().current.public)]
