"""Planning and provisioning over HTTP: what is shown, what is begun, what is refused; a plan changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from msgspec.structs import replace as row

from control.memory_plane import Admin
from control.provisioned import Provisioned
from frostbyte.api.control import examples
from frostbyte.control_plane.provisioning.journal import RunState
from frostbyte.control_plane.provisioning.resources import Found, Kind, Owner
from frostbyte.control_plane.registry.states import Move
from frostbyte.kernel.tokens import Role
from provisioning.planning import GROUND, NOW, RUN, carried_out

Refused = Callable[[Any, int, str], dict[str, Any]]


@pytest.fixture
def hosts(admin: Admin) -> Provisioned:
    return Provisioned(admin)


def shape(value: Any) -> Any:
    """What there is, without what it says."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    return [shape(item) for item in value[:1]] if isinstance(value, list) else None


def test_a_plan_is_shown_and_nothing_is_kept(admin: Admin, hosts: Provisioned) -> None:
    tenant = admin.tenant()
    before = admin.call("GET", f"/tenants/{tenant}").json()
    asked = {"shape": "small", "locations": ["hel1", "nbg1"], "octet": before["octet"]}
    planned = admin.call("POST", f"/tenants/{tenant}/plan", json=asked)
    assert planned.status_code == 200, planned.text
    made = planned.json()
    assert [one["type"] + one["location"] for one in made["servers"]] == ["cx53hel1"]
    assert made["residency"]["countries"] == ["DE", "FI"]
    assert made["addresses"] == {"single": f"10.{before['octet']}.1.10"}
    assert made["request"]["shape"] == "small"
    assert shape(made) == shape(examples.PLAN)
    assert admin.call("GET", f"/tenants/{tenant}").json() == before
    assert hosts.begun == []
    usual = admin.call("GET", f"/tenants/{tenant}/plan").json()
    assert (usual["shape"], usual["monthly"]) == ("standard", "35.57")
    assert admin.call("POST", f"/tenants/{tenant}/plan").json() == usual


def test_a_viewer_may_plan_and_may_not_provision(admin: Admin, hosts: Provisioned, refused: Refused) -> None:
    tenant, viewer = admin.tenant(), admin.token(Role.VIEWER)
    assert admin.call("POST", f"/tenants/{tenant}/plan", json={}, token=viewer).status_code == 200
    refused(admin.call("POST", f"/tenants/{tenant}/provision", json={}, token=viewer), 403, "scope_missing")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"octet": 200}, 409, "octet_disagrees"),
        ({"octet": 255}, 422, "request_invalid"),
        ({"workers": 0}, 422, "request_invalid"),
        ({"shape": "huge"}, 422, "request_invalid"),
        ({"more": 1}, 422, "request_invalid"),
        ({"locations": ["nbg1", "nbg1"]}, 422, "provision_request_invalid"),
        ({"types": {"edge": ["cx23"]}}, 422, "provision_request_invalid"),
        ({"egress": ["169.254.169.254:80"]}, 422, "provision_request_invalid"),
        ({"egress": ["metadata:80"]}, 422, "provision_request_invalid"),
        ({"volume_gb": 5}, 422, "provision_request_invalid"),
    ],
)
@pytest.mark.parametrize("route", ["plan", "provision"])
def test_what_cannot_be_asked_for(
    route: str, body: dict[str, Any], status: int, code: str, admin: Admin, hosts: Provisioned, refused: Refused
) -> None:
    tenant = admin.tenant()
    refused(admin.call("POST", f"/tenants/{tenant}/{route}", json=body), status, code)
    assert admin.state(tenant) == "PENDING"


def test_provisioning_takes_a_tenant_into_service_once(admin: Admin, hosts: Provisioned) -> None:
    tenant = admin.tenant()
    version = admin.call("GET", f"/tenants/{tenant}").headers["etag"]
    body = {"shape": "small", "reason": "requested"}
    headers = {"Idempotency-Key": "once", "If-Match": version}
    first = admin.call("POST", f"/tenants/{tenant}/provision", json=body, headers=headers)
    assert first.status_code == 202, first.text
    assert first.headers["location"].endswith(first.json()["operation_id"])
    again = admin.call("POST", f"/tenants/{tenant}/provision", json=body, headers=headers)
    assert again.json()["operation_id"] == first.json()["operation_id"]
    assert admin.state(tenant) == "ACTIVE"
    assert hosts.begun[0] == (Move.PROVISION, {"shape": "small"})
    asked = hosts.request(tenant)
    assert (asked["shape"], asked["locations"]) == ("small", ["nbg1", "fsn1"]), "what is kept holds for whoever resumes"


def test_another_version_than_was_seen_is_not_provisioned(admin: Admin, hosts: Provisioned, refused: Refused) -> None:
    tenant = admin.tenant()
    answer = admin.call("POST", f"/tenants/{tenant}/provision", json={}, headers={"If-Match": '"9"'})
    refused(answer, 412, "tenant_changed")


def test_a_plan_with_problems_is_shown_and_not_begun(admin: Admin, hosts: Provisioned, refused: Refused) -> None:
    tenant = admin.tenant()
    hosts.ground = replace(GROUND, edge="", bastion="")
    shown = admin.call("GET", f"/tenants/{tenant}/plan").json()
    assert [one["code"] for one in shown["problems"]] == ["base_missing"]
    refused(admin.call("POST", f"/tenants/{tenant}/provision", json={}), 409, "base_missing")
    assert admin.state(tenant) == "PENDING"


def test_what_failed_is_provisioned_again_by_the_same_route(admin: Admin, hosts: Provisioned) -> None:
    tenant = admin.tenant()
    admin.hands.fails = "cloud_quota"
    admin.made(f"/tenants/{tenant}/provision", {"locations": ["hel1"]})
    assert admin.state(tenant) == "FAILED"
    admin.hands.fails = "cloud_quota"
    finished(hosts, tenant)
    admin.made(f"/tenants/{tenant}/retry", {})
    assert (hosts.begun[-1], hosts.request(tenant)["locations"]) == ((Move.RETRY, {}), ["hel1"])
    finished(hosts, tenant)
    admin.made(f"/tenants/{tenant}/provision", {"shape": "small"})
    assert admin.state(tenant) == "ACTIVE"
    assert hosts.begun[-1] == (Move.RETRY, {"shape": "small"})
    asked = hosts.request(tenant)
    assert (asked["shape"], asked["locations"]) == ("small", ["hel1"]), "laid over what was asked for last"


def finished(hosts: Provisioned, tenant: str) -> None:
    """The way back of its newest run has ended."""
    with hosts._unit_of_work() as uow:
        run = uow.journal.runs(hosts.made.owner(tenant))[0]
        uow.journal.put_run(row(run, state=RunState.FAILED, ended_at=NOW))
        uow.commit()


@pytest.mark.parametrize("destroys", [True, False])
def test_data_is_destroyed_only_where_it_is_said(destroys: bool, admin: Admin, hosts: Provisioned) -> None:
    tenant = admin.tenant()
    admin.made(f"/tenants/{tenant}/provision", {})
    body = {"confirm": tenant} | ({"destroy_data": True} if destroys else {})
    admin.made(f"/tenants/{tenant}/deprovision", body)
    assert admin.state(tenant) == "DEPROVISIONED"
    assert hosts.begun[-1] == (Move.DEPROVISION, {"destroy_data": True} if destroys else {})


def test_drift_and_what_remains(admin: Admin, hosts: Provisioned) -> None:
    tenant = admin.tenant()
    assert admin.call("GET", f"/tenants/{tenant}/drift").json() == {"tenant_id": tenant, "differences": []}
    environment = admin.control.settings.environment
    labels = Owner(environment=environment, project_id="eu-1", tenant_id=tenant).labels(RUN, "x")
    hosts.shop.there = [Found(kind=Kind.SERVER, resource_id="7", name="fb-x", labels=labels)]
    [one] = admin.call("GET", f"/tenants/{tenant}/drift").json()["differences"]
    assert (one["what"], one["kind"], one["found"]) == ("unknown", "server", "7")
    assert shape(one) == shape(examples.DRIFT["differences"][0])
    hosts.left = carried_out(hosts.plan(tenant).plan)
    shown = admin.call("GET", f"/tenants/{tenant}/resources").json()
    assert shape(shown) == shape(examples.RESOURCES)
    assert {row["step"]: row["state"] for row in shown["resources"]}["server.db"] == "done"


@pytest.mark.parametrize(
    ("method", "route"),
    [("GET", "plan"), ("POST", "plan"), ("POST", "provision"), ("GET", "drift"), ("GET", "resources")],
)
def test_without_a_cloud_there_are_no_hosts(method: str, route: str, admin: Admin, refused: Refused) -> None:
    tenant = admin.tenant()
    refused(admin.call(method, f"/tenants/{tenant}/{route}"), 503, "provisioning_missing")


def test_data_cannot_be_destroyed_by_a_control_plane_without_a_cloud(admin: Admin, refused: Refused) -> None:
    tenant = admin.tenant("ACTIVE")
    body = {"confirm": tenant, "destroy_data": True}
    refused(admin.call("POST", f"/tenants/{tenant}/deprovision", json=body), 503, "provisioning_missing")
    assert admin.state(tenant) == "ACTIVE"
