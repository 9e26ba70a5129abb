"""Repairing a tenant over the Admin API: what a repair would do, and doing it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from control.memory_plane import Admin, memory_plane
from frostbyte.control_plane.provisioning.resources import Kind
from frostbyte.control_plane.registry.records import OperationKind
from frostbyte.kernel.tokens import Role
from upkeep.standing_site import NEVER, StandingSite

pytestmark = pytest.mark.slow


def test_what_would_be_mended_is_shown_and_mended(tmp_path: Path, refused: Callable[[Any, int, str], Any]) -> None:
    site = StandingSite(tmp_path)
    site.stand()
    control = memory_plane(tmp_path / "control", site.registry)
    admin = Admin(control)
    path = "/tenants/acme/repair"
    refused(admin.call("POST", path, json={}), 503, "provisioning_missing")
    control.foreman, control.provisioning = site.foreman, site.desk
    control.hooks[OperationKind.REPAIR] = site.foreman.carry
    refused(admin.call("POST", path, json={}, token=admin.token(Role.VIEWER)), 403, "scope_missing")
    refused(admin.call("POST", path, json={"replace": ["worker-9"]}), 422, "repair_unfit")
    refused(admin.call("POST", path, json={"destroy": True}), 422, "request_invalid")
    site.cloud.delete(Kind.SERVER, site.servers()["db"].resource_id)
    found = admin.call("GET", "/tenants/acme/drift").json()["differences"]
    told = {(one["step"], one["what"]): one for one in found}
    assert told["server.db", "missing"]["mended"]
    assert "with its volume" in told["server.db", "missing"]["words"]
    begun = admin.made(path, {"reason": "incident"}, Idempotency_Key="k")
    assert admin.made(path, {"reason": "incident"}, Idempotency_Key="k") == begun
    site.foreman.turn(NEVER)
    shown = admin.call("GET", f"/operations/{begun['operation_id']}").json()
    assert (shown["status"], shown["kind"]) == ("succeeded", "repair")
    stages = {step["step"]: step for step in shown["steps"]}
    assert any("server fb-acme-db: missing" in line for line in stages["looked"]["facts"]["mended"])
    assert stages["compared"]["facts"] == {"left": []}
    assert admin.call("GET", "/tenants/acme/drift").json()["differences"] == []
