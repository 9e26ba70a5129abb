"""Rotating a tenant's keys over the Admin API."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from control.memory_plane import Admin, memory_plane
from frostbyte.control_plane.registry.records import ROTATIONS
from frostbyte.kernel.tokens import Role
from provisioning.test_rotating import NEVER, Office


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_a_rotation_is_begun_once_and_can_be_followed(
    office: Office, tmp_path: Path, refused: Callable[[Any, int, str], Any]
) -> None:
    control = memory_plane(tmp_path / "control", office.store)
    admin = Admin(control)
    path, body = "/tenants/acme/rotate-keys", {"what": "certificates", "reason": "incident"}
    refused(admin.call("POST", path, json=body), 503, "provisioning_missing")
    control.foreman = office.foreman
    control.hooks.update(dict.fromkeys(ROTATIONS, office.foreman.carry))
    refused(admin.call("POST", path, json=body, token=admin.token(Role.VIEWER)), 403, "scope_missing")
    refused(admin.call("POST", path, json={"what": "everything"}), 422, "request_invalid")
    refused(admin.call("POST", "/tenants/nobody/rotate-keys", json={}), 404, "tenant_not_found")
    begun = admin.made(path, body, Idempotency_Key="k")
    assert admin.made(path, body, Idempotency_Key="k") == begun
    assert begun["kind"] == "rotate_certificates"
    office.foreman.turn(NEVER)
    shown = admin.call("GET", f"/operations/{begun['operation_id']}").json()
    assert shown["status"] == "succeeded"
    assert [step["step"] for step in shown["steps"]] == ["certificates_made", "certificates_given"]
