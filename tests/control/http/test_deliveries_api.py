"""Deliveries over the Admin API: what was taken, who gets it in which order, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from control.memory_plane import Admin, memory_plane
from frostbyte.control_plane.registry.records import OperationKind
from frostbyte.kernel.tokens import Role
from upkeep.fresh_office import NEVER, Office, failing
from upkeep.test_refreshing import BROKEN

Refused = Callable[[Any, int, str], dict[str, Any]]
SET = {"supply": "set-1", "soak_seconds": 0}


@pytest.fixture
def office(tmp_path: Path) -> Office:
    made = Office(tmp_path, ("acme", "beta", "gamma"))
    made.taken(1)
    return made


@pytest.fixture
def desk(office: Office, tmp_path: Path) -> Admin:
    """The Admin API of a control plane whose tenants stand on hosts of ours."""
    control = memory_plane(tmp_path / "control", office.store)
    admin = Admin(control)
    control.hosting = SimpleNamespace(rounds=office.rounds, shelf=office.shelf)  # type: ignore[assignment]
    control.foreman = office.foreman
    control.hooks[OperationKind.REFRESH] = office.foreman.carry
    return admin


def turned(office: Office, times: int) -> None:
    for _ in range(times):
        office.rounds.turn()
        office.foreman.turn(NEVER)


def told(desk: Admin, delivery: dict[str, Any]) -> dict[str, Any]:
    shown = desk.call("GET", f"/deliveries/{delivery['round_id']}")
    assert shown.status_code == 200, shown.text
    found: dict[str, Any] = shown.json()
    return found


def states(delivery: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["tenant_id"], one["status"]) for one in delivery["tenants"]]


def test_sets_are_shown_newest_first_with_what_they_hold(office: Office, desk: Admin) -> None:
    office.taken(2, signatures=(), packages=(office.package("chrony", "4.6"),), images=(office.image("api"),),
                 version="2")  # fmt: skip
    new, old = desk.call("GET", "/supplies", token=desk.token(Role.VIEWER)).json()["supplies"]
    assert (new["supply_id"], new["parts"], new["version"]) == ("set-2", ["packages", "images"], "2")
    assert new["packages"] == [{"package": "chrony", "version": "4.6"}]
    assert (old["supply_id"], old["signatures_made_at"], old["version"]) == ("set-1", "2026-02-01T03:00:00Z", None)


def test_a_delivery_is_begun_once_and_followed_tenant_by_tenant(office: Office, desk: Admin) -> None:
    body = {"supply": "set-1", "canary": "beta", "reason": "monthly"}
    answer = desk.call("POST", "/deliveries", json=body, headers={"Idempotency-Key": "k"})
    begun = answer.json()
    assert (answer.status_code, answer.headers["location"]) == (202, f"/api/v1/admin/deliveries/{begun['round_id']}")
    assert (begun["kind"], begun["actor"], begun["reason"]) == ("refresh", "ann", "monthly")
    assert states(begun) == [("beta", "waiting"), ("acme", "waiting"), ("gamma", "waiting")]
    assert begun["request"] == {"supply": "set-1", "parts": [], "older": False}
    turned(office, 3)
    assert states(told(desk, begun)) == [("beta", "succeeded"), ("acme", "waiting"), ("gamma", "waiting")]
    office.clock.advance(61)
    turned(office, 4)
    ended = told(desk, begun)
    assert (ended["status"], ended["code"], ended["stopped_at"]) == ("succeeded", None, None)
    canary = desk.call("GET", f"/operations/{ended['tenants'][0]['operation_id']}").json()
    assert (canary["tenant_id"], canary["status"], canary["actor"]) == ("beta", "succeeded", "ann")
    assert [row["round_id"] for row in desk.call("GET", "/deliveries").json()["deliveries"]] == [begun["round_id"]]


def test_sent_again_it_is_the_first_answer_even_when_its_tenants_have_left(
    office: Office, desk: Admin, refused: Refused
) -> None:
    begun = desk.made("/deliveries", SET, Idempotency_Key="k")
    office.owners.clear()
    assert desk.made("/deliveries", SET, Idempotency_Key="k")["round_id"] == begun["round_id"]
    other = desk.call("POST", "/deliveries", json=SET | {"older": True}, headers={"Idempotency-Key": "k"})
    refused(other, 409, "idempotency_conflict")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"supply": "set-9"}, 404, "supply_unknown"),
        ({"supply": "../set-1"}, 422, "request_invalid"),
        ({"parts": ["packages"]}, 422, "supply_part_missing"),
        ({"parts": ["kernels"]}, 422, "request_invalid"),
        ({"canary": "nobody"}, 409, "round_empty"),
        ({"tenants": ["acme", "nobody"]}, 409, "round_empty"),
        ({"soak_seconds": -1}, 422, "request_invalid"),
        ({"force": True}, 422, "request_invalid"),
    ],
)
def test_what_cannot_be_delivered_is_refused_and_nothing_is_begun(
    desk: Admin, refused: Refused, more: dict[str, Any], status: int, code: str
) -> None:
    refused(desk.call("POST", "/deliveries", json=SET | more), status, code)
    assert desk.call("GET", "/deliveries").json()["deliveries"] == []


def test_readers_read_and_change_nothing(desk: Admin, refused: Refused) -> None:
    begun, reader = desk.made("/deliveries", SET), desk.token(Role.VIEWER)
    for path in ("/deliveries", f"/deliveries/{begun['round_id']}", "/supplies"):
        assert desk.call("GET", path, token=reader).status_code == 200
        refused(desk.client.get(f"/api/v1/admin{path}"), 401, "token_missing")
    for path, body in (
        ("/deliveries", SET),
        (f"/deliveries/{begun['round_id']}/stop", {}),
        ("/tenants/acme/refresh", {"supply": "set-1"}),
    ):
        refused(desk.call("POST", path, json=body, token=reader), 403, "scope_missing")


def test_two_at_once_are_refused_and_a_stopped_one_makes_room(office: Office, desk: Admin, refused: Refused) -> None:
    begun = desk.made("/deliveries", SET)
    refused(desk.call("POST", "/deliveries", json=SET), 409, "round_running")
    turned(office, 1)
    stopped = desk.made(f"/deliveries/{begun['round_id']}/stop", {}, 200)
    assert (stopped["status"], stopped["code"], stopped["stopped_at"]) == ("failed", "round_stopped", "beta")
    turned(office, 4)
    assert states(told(desk, begun)) == [("acme", "succeeded"), ("beta", "waiting"), ("gamma", "waiting")]
    refused(desk.call("POST", f"/deliveries/{begun['round_id']}/stop", json={}), 409, "round_ended")
    another = desk.made("/deliveries", SET | {"tenants": ["gamma"]})
    assert states(another) == [("gamma", "waiting")]
    newest = desk.call("GET", "/deliveries", params={"limit": 1}).json()["deliveries"]
    assert [row["round_id"] for row in newest] == [another["round_id"]]


def test_what_stopped_it_and_where_is_said(office: Office, desk: Admin) -> None:
    office.hosts.struck = failing("look", BROKEN, host="beta")
    begun = desk.made("/deliveries", SET)
    turned(office, 5)
    ended = told(desk, begun)
    assert (ended["status"], ended["code"], ended["stopped_at"]) == ("failed", "host_command_failed", "beta")
    assert states(ended) == [("acme", "succeeded"), ("beta", "failed"), ("gamma", "waiting")]
    office.trouble["acme"] = "intake_refused"
    again = desk.made("/deliveries", SET)
    turned(office, 3)
    assert (told(desk, again)["code"], told(desk, again)["stopped_at"]) == ("canary_unwell", "acme")


def test_an_older_set_stops_at_the_canary_until_somebody_means_it(office: Office, desk: Admin) -> None:
    office.taken(2)
    for body, code in (
        (SET | {"supply": "set-2"}, None),
        (SET, "supply_older"),
        (SET | {"older": True}, None),
    ):
        begun = desk.made("/deliveries", body)
        turned(office, 5)
        assert (told(desk, begun)["code"], bool(told(desk, begun)["ended_at"])) == (code, True)


def test_what_is_no_delivery_is_not_found(desk: Admin, refused: Refused) -> None:
    nobody = uuid4()
    refused(desk.call("GET", f"/deliveries/{nobody}"), 404, "round_not_found")
    refused(desk.call("POST", f"/deliveries/{nobody}/stop", json={}), 404, "round_not_found")
    refused(desk.call("GET", "/deliveries/one"), 422, "request_invalid")


def test_one_tenant_is_refreshed_by_itself(office: Office, desk: Admin, refused: Refused) -> None:
    path, new = "/tenants/acme/refresh", office.taken(2).supply_id
    refused(desk.call("POST", path, json={"supply": "set-9"}), 404, "supply_unknown")
    refused(desk.call("POST", path, json={"supply": new, "parts": ["images"]}), 422, "supply_part_missing")
    refused(desk.call("POST", "/tenants/nobody/refresh", json={"supply": new}), 404, "tenant_not_found")
    begun = desk.made(path, {"supply": new}, Idempotency_Key="k")
    assert desk.made(path, {"supply": new}, Idempotency_Key="k")["operation_id"] == begun["operation_id"]
    refused(desk.call("POST", path, json={"supply": new}), 409, "operation_running")
    turned(office, 1)
    shown = desk.call("GET", f"/operations/{begun['operation_id']}").json()
    assert shown["status"] == "succeeded"
    assert [step["step"] for step in shown["steps"]] == ["brought", "signatures_exchanged", "looked_at", "tidied"]
    refused(desk.call("POST", path, json={"supply": "set-1"}), 409, "supply_older")
    desk.made(path, {"supply": "set-1", "older": True})


def test_a_control_plane_that_makes_no_hosts_says_so(tmp_path: Path, refused: Refused) -> None:
    admin = Admin(memory_plane(tmp_path))
    for method, path, body in (
        ("GET", "/supplies", None),
        ("GET", "/deliveries", None),
        ("GET", f"/deliveries/{uuid4()}", None),
        ("POST", "/deliveries", SET),
        ("POST", f"/deliveries/{uuid4()}/stop", {}),
    ):
        refused(admin.call(method, path, json=body), 503, "provisioning_missing")
