"""Updating a tenant over the Admin API, and the versions of all of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from control.memory_plane import Admin, memory_plane
from frostbyte import __version__
from frostbyte.control_plane.registry.records import OperationKind
from frostbyte.kernel.tokens import Role
from upkeep.updated_tenant import NEVER, Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "site")


@pytest.fixture
def desk(site: Site, tmp_path: Path) -> Admin:
    control = memory_plane(tmp_path / "control", site.store)
    admin = Admin(control)
    control.foreman = site.foreman
    control.hooks[OperationKind.UPDATE] = site.foreman.carry
    return admin


def test_an_update_is_begun_once_and_followed_stage_by_stage(
    site: Site, desk: Admin, refused: Callable[[Any, int, str], Any]
) -> None:
    path, body = "/tenants/acme/update", {"to": "2.0", "reason": "requested"}
    refused(desk.call("POST", path, json=body, token=desk.token(Role.VIEWER)), 403, "scope_missing")
    refused(desk.call("POST", path, json={}), 422, "request_invalid")
    refused(desk.call("POST", path, json={"to": "1.0"}), 409, "release_same")
    refused(desk.call("POST", path, json={"to": "9.9"}), 409, "release_unknown")
    begun = desk.made(path, body, Idempotency_Key="k")
    assert desk.made(path, body, Idempotency_Key="k") == begun
    assert begun["request"]["current"] == "1.0"
    (one,) = desk.call("GET", "/fleet").json()["tenants"]
    assert (one["release"], one["duty"]["kind"]) == ("1.0", "update")
    refused(desk.call("POST", path, json=body), 409, "operation_running")
    site.foreman.turn(NEVER)
    shown = desk.call("GET", f"/operations/{begun['operation_id']}").json()
    assert shown["status"] == "succeeded"
    assert [step["step"] for step in shown["steps"]][:5] == ["images", "room", "files", "closed", "frozen"]
    site.well("2.0")


def test_the_fleet_says_who_runs_what(site: Site, desk: Admin) -> None:
    desk.tenant()
    found = desk.call("GET", "/fleet", token=desk.token(Role.VIEWER)).json()
    assert (found["version"], found["cursor"]) == (__version__, None)
    assert [(one["tenant_id"], one["release"], one["duty"]) for one in found["tenants"]] == [("acme", "1.0", None)]
    site.hosts.sick.add("2.0")
    site.carried(site.begin())
    (one,) = desk.call("GET", "/fleet").json()["tenants"]
    assert (one["release"], one["updated"]["code"], one["updated"]["request"]["to"]) == ("1.0", "update_unwell", "2.0")
    page = desk.call("GET", "/fleet", params={"limit": 1}).json()
    assert page["cursor"] is not None
    assert desk.call("GET", "/fleet", params={"cursor": page["cursor"]}).json()["cursor"] is None
