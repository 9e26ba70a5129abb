"""A tenant's life over HTTP: what is answered, what is refused and how, and that nothing is done twice."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any

import pytest

from control.memory_plane import Admin, attachment
from frostbyte.control_plane.registry.records import OperationKind
from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.tokens import Role

Refused = Callable[[Any, int, str], dict[str, Any]]
NOWHERE = {"gateway_url": "x", "channel_url": "y", "log_key": "z"}
FRACTION = {"tenant_id": "twice", "project_id": "eu-1", "config": {"injection_flag": 0.25}}


def test_a_whole_life(admin: Admin) -> None:
    tenant = admin.tenant()
    shown = admin.call("GET", f"/tenants/{tenant}").json()
    assert (shown["network"], shown["possible"], shown["operation"]) == ("10.1.0.0/16", ["attach"], None)
    admin.made(f"/tenants/{tenant}/attach", attachment(tenant))
    assert admin.state(tenant) == "ACTIVE"
    admin.made(f"/tenants/{tenant}/suspend", {"reason": "payment"})
    assert admin.state(tenant) == "SUSPENDED"
    admin.made(f"/tenants/{tenant}/resume", {"reason": "payment"})
    admin.made(f"/tenants/{tenant}/deprovision", {"confirm": tenant})
    shown = admin.call("GET", f"/tenants/{tenant}").json()
    assert (shown["state"], shown["network"], shown["possible"]) == ("DEPROVISIONED", None, [])
    done = admin.call("GET", "/operations", params={"tenant_id": tenant}).json()["operations"]
    assert [row["kind"] for row in done] == ["deprovision", "resume", "suspend", "provision"]
    assert {row["status"] for row in done} == {"succeeded"}
    assert {row["actor"] for row in done} == {"ann"}


def test_what_takes_time_answers_with_where_to_watch_it(admin: Admin) -> None:
    tenant = admin.tenant("ACTIVE")
    admin.hands.at_once = False
    answer = admin.call("POST", f"/tenants/{tenant}/suspend", json={"reason": "incident"})
    assert answer.status_code == 202
    assert answer.json()["status"] == "running"
    path = answer.headers["location"].removeprefix("/api/v1/admin")
    assert path == f"/operations/{answer.json()['operation_id']}"
    admin.hands.finish(answer.json()["operation_id"])
    ended = admin.call("GET", path).json()
    assert (ended["status"], ended["reason"]) == ("succeeded", "incident")
    assert [step["step"] for step in ended["steps"]] == ["edge_closed", "plane_acknowledged"]


def test_what_failed_is_tried_again_or_given_up(admin: Admin) -> None:
    tenant = admin.tenant()
    admin.hands.fails = "plane_unreachable"
    failed = admin.made(f"/tenants/{tenant}/attach", attachment(tenant))
    assert (failed["status"], failed["code"]) == ("failed", "plane_unreachable")
    shown = admin.call("GET", f"/tenants/{tenant}").json()
    assert (shown["state"], shown["failed"]) == ("FAILED", "provision")
    assert shown["possible"] == ["abandon", "attach", "retry"]
    admin.hands.fails = "plane_unreachable"
    admin.made(f"/tenants/{tenant}/retry", {})
    assert admin.call("POST", f"/tenants/{tenant}/retry").status_code == 202  # a body is not needed
    assert admin.state(tenant) == "ACTIVE"
    other = admin.tenant()
    admin.hands.fails = "plane_unreachable"
    admin.made(f"/tenants/{other}/attach", attachment(other))
    admin.made(f"/tenants/{other}/abandon", {"confirm": other})
    assert admin.state(other) == "DEPROVISIONED"


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/projects", {"project_id": "eu-1"}, 409, "project_exists"),
        ("/projects", {"project_id": "Not A Name"}, 422, "request_invalid"),
        ("/projects", {"project_id": "eu-2", "more": 1}, 422, "request_invalid"),
        ("/tenants", {"tenant_id": "new1", "project_id": "none"}, 404, "project_not_found"),
        ("/tenants", {"tenant_id": "admin", "project_id": "eu-1"}, 422, "tenant_id_invalid"),
        ("/tenants", {"tenant_id": "../x", "project_id": "eu-1"}, 422, "request_invalid"),
        ("/tenants", {"tenant_id": "{active}", "project_id": "eu-1"}, 409, "tenant_exists"),
        ("/tenants", {"tenant_id": "new1", "project_id": "eu-1", "octet": 1}, 409, "octet_taken"),
        ("/tenants", {"tenant_id": "new1", "project_id": "eu-1", "octet": 255}, 422, "request_invalid"),
        ("/tenants", {"tenant_id": "new1", "project_id": "eu-1", "config": {"top_k": 0.5}}, 422, "config_invalid"),
        ("/tenants", {"tenant_id": "new1", "project_id": "eu-1", "config": {"no": 1}}, 422, "config_invalid"),
        ("/tenants/{active}/suspend", {}, 422, "request_invalid"),
        ("/tenants/{active}/suspend", {"reason": "Mr Smith did not pay"}, 422, "reason_invalid"),
        ("/tenants/{active}/resume", {"reason": "payment"}, 409, "move_illegal"),
        (
            "/tenants/{active}/attach",
            {"gateway_url": "x", "channel_url": "y", "log_key": "z"},
            422,
            "endpoints_invalid",
        ),
        ("/tenants/{active}/retry", {}, 409, "move_illegal"),
        ("/tenants/{active}/abandon", {"confirm": "{active}"}, 409, "move_illegal"),
        ("/tenants/{active}/deprovision", {}, 422, "request_invalid"),
        ("/tenants/{active}/deprovision", {"confirm": "other"}, 422, "confirmation_wrong"),
        ("/tenants/nobody/suspend", {"reason": "payment"}, 404, "tenant_not_found"),
        ("/tenants/NO/suspend", {"reason": "payment"}, 422, "request_invalid"),
    ],
)
def test_refusals(path: str, body: dict[str, Any], status: int, code: str, admin: Admin, refused: Refused) -> None:
    active = admin.tenant("ACTIVE")
    events = len(audit(admin))
    filled = {name: value.format(active=active) if isinstance(value, str) else value for name, value in body.items()}
    said = refused(admin.call("POST", path.format(active=active), json=filled), status, code)
    assert "Smith" not in str(said)
    assert admin.state(active) == "ACTIVE"
    assert len(audit(admin)) == events, "what was refused is in the audit"


def audit(admin: Admin) -> list[Any]:
    """Every event of the control plane's log."""
    while admin.control.sequencer.run_once():
        pass
    with admin.control.store.unit_of_work() as uow:
        return uow.audit.events(limit=10_000)


def test_an_unknown_tenant_or_operation_is_not_found(admin: Admin, refused: Refused) -> None:
    unknown = "01990000-0000-7000-8000-0000000000d1"
    refused(admin.call("GET", "/tenants/nobody"), 404, "tenant_not_found")
    refused(admin.call("GET", "/tenants/nobody/config"), 404, "tenant_not_found")
    refused(admin.call("GET", f"/operations/{unknown}"), 404, "operation_not_found")
    refused(admin.call("GET", f"/operations/{unknown}/events"), 404, "operation_not_found")
    refused(admin.call("GET", "/nothing"), 404, "route_not_found")
    refused(admin.call("DELETE", "/tenants"), 405, "method_not_allowed")


@pytest.mark.slow
def test_a_command_with_the_version_that_was_seen(admin: Admin, refused: Refused) -> None:
    tenant = admin.tenant("ACTIVE")
    seen = admin.call("GET", f"/tenants/{tenant}").headers["etag"]
    admin.made(f"/tenants/{tenant}/suspend", {"reason": "payment"}, if_match=seen)
    admin.made(f"/tenants/{tenant}/resume", {"reason": "payment"}, if_match="*")
    late = admin.call("POST", f"/tenants/{tenant}/suspend", json={"reason": "payment"}, headers={"If-Match": seen})
    said = refused(late, 412, "tenant_changed")
    assert "TENANT_RESUMED by ann" in said["detail"]
    assert admin.state(tenant) == "ACTIVE"
    wrong = admin.call("POST", f"/tenants/{tenant}/suspend", json={"reason": "payment"}, headers={"If-Match": "W/x"})
    refused(wrong, 422, "if_match_invalid")


def test_configurations_by_versions(admin: Admin, refused: Refused) -> None:
    tenant = admin.tenant()
    path = f"/tenants/{tenant}/config"
    first = admin.call("GET", path)
    assert first.json()["version"] == 1
    refused(admin.call("PUT", path, json={"top_k": 7}), 422, "if_match_missing")
    changed = admin.call("PUT", path, json={"top_k": 7}, headers={"If-Match": first.headers["etag"]})
    assert (changed.json()["version"], changed.json()["values"]["top_k"]) == (2, 7)
    assert changed.headers["etag"] == '"2"'
    late = admin.call("PUT", path, json={"top_k": 9}, headers={"If-Match": first.headers["etag"]})
    said = refused(late, 412, "config_changed")
    assert "top_k is 7" in said["detail"]
    assert (said["version"], said["changes"]) == (2, {"top_k": {"before": 5, "now": 7}})
    assert admin.call("GET", path, params={"version": 1}).json()["values"]["top_k"] == 5
    refused(admin.call("GET", path, params={"version": 3}), 404, "config_version_unknown")
    never = admin.call("PUT", path, json={"top_k": 9}, headers={"If-Match": '"77"'})
    assert refused(never, 412, "config_changed")["changes"] is None
    unknown = admin.call("PUT", path, json={"no": 9}, headers={"If-Match": '"2"'})
    refused(unknown, 422, "config_invalid")


def test_pages_hold_every_tenant_once(admin: Admin) -> None:
    names = sorted(admin.tenant() for _ in range(7))
    found, cursor = [], None
    while True:
        page = admin.call("GET", "/tenants", params={"limit": 3, **({"cursor": cursor} if cursor else {})}).json()
        assert len(page["tenants"]) <= 3
        found += [row["tenant_id"] for row in page["tenants"]]
        cursor = page["cursor"]
        if cursor is None:
            break
    assert found == names


def test_filters(admin: Admin) -> None:
    pending, active = admin.tenant(), admin.tenant("ACTIVE")
    for name in ("abc", "abcd", "abd"):
        admin.made("/tenants", {"tenant_id": name, "project_id": "eu-1"}, 201)

    def found(**asked: Any) -> set[str]:
        return {row["tenant_id"] for row in admin.call("GET", "/tenants", params=asked).json()["tenants"]}

    assert found(state="ACTIVE") == {active}
    assert found(state="PENDING") == {pending, "abc", "abcd", "abd"}
    assert found(prefix="abc") == {"abc", "abcd"}
    assert found(prefix="abc", limit=1) == {"abc"}
    assert found(prefix="abc", cursor="abc") == {"abcd"}
    assert found(prefix="abc", state="ACTIVE") == set()
    assert found(prefix="abc", project_id="eu-2") == set()
    assert found(project_id="eu-2") == set()
    assert admin.call("GET", "/tenants", params={"state": "HAPPY"}).status_code == 422


def test_a_page_of_a_prefix_ends_where_the_names_end(admin: Admin) -> None:
    admin.tenant()
    for name in ("abc", "abcd", "abd", "abe"):
        admin.made("/tenants", {"tenant_id": name, "project_id": "eu-1"}, 201)
    assert admin.call("GET", "/tenants", params={"prefix": "abc", "limit": 2}).json()["cursor"] is None


def test_operations_page_newest_first(admin: Admin) -> None:
    tenant = admin.tenant("ACTIVE")
    for command in ("suspend", "resume", "suspend"):
        admin.made(f"/tenants/{tenant}/{command}", {"reason": "payment"})
    admin.hands.at_once = False
    running = admin.made(f"/tenants/{tenant}/resume", {"reason": "payment"})["operation_id"]
    first = admin.call("GET", "/operations", params={"limit": 2}).json()
    assert [row["kind"] for row in first["operations"]] == ["resume", "suspend"]
    rest = admin.call("GET", "/operations", params={"limit": 9, "cursor": first["cursor"]}).json()
    assert [row["kind"] for row in rest["operations"]] == ["resume", "suspend", "provision"]
    assert rest["cursor"] is None
    only = admin.call("GET", "/operations", params={"running": True}).json()["operations"]
    assert [row["operation_id"] for row in only] == [running]


def test_a_lost_answer_costs_nothing(admin: Admin, refused: Refused) -> None:
    tenant = admin.tenant("ACTIVE")
    path, key = f"/tenants/{tenant}/suspend", {"Idempotency-Key": "k-1"}
    first = admin.call("POST", path, json={"reason": "payment"}, headers=key)
    again = admin.call("POST", path, json={"reason": "payment"}, headers=key)
    assert (again.status_code, again.json()) == (202, first.json())
    refused(admin.call("POST", path, json={"reason": "incident"}, headers=key), 409, "idempotency_conflict")
    refused(
        admin.call("POST", path, json={"reason": "payment"}, headers={"Idempotency-Key": "k-2"}), 409, "move_illegal"
    )
    other = admin.token(Role.OPERATOR, subject="bob")
    mine = admin.call("POST", path, json={"reason": "payment"}, headers=key, token=other)
    refused(mine, 409, "move_illegal")  # a key is the caller's own
    wrong = admin.call("POST", path, json={"reason": "payment"}, headers={"Idempotency-Key": "two words"})
    refused(wrong, 422, "request_invalid")


@pytest.mark.parametrize(("path", "body"), [("/projects", {"project_id": "eu-9"}), ("/tenants", FRACTION)])
def test_what_is_made_is_made_once(path: str, body: dict[str, Any], admin: Admin) -> None:
    admin.tenant()
    answers = [admin.made(path, body, 201, idempotency_key="once") for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]


def test_a_refused_request_may_succeed_later_under_its_key(admin: Admin) -> None:
    tenant = admin.tenant("ACTIVE")
    path, key = f"/tenants/{tenant}/resume", {"Idempotency-Key": "later"}
    assert admin.call("POST", path, json={"reason": "payment"}, headers=key).status_code == 409
    admin.made(f"/tenants/{tenant}/suspend", {"reason": "payment"})
    assert admin.call("POST", path, json={"reason": "payment"}, headers=key).status_code == 202


def test_what_was_decided_is_answered_as_decided_whatever_happens_after(
    admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = admin.tenant("ACTIVE")
    away = Unavailable("database_unavailable", "It is away.", "Wait.")

    def broken(*_: Any) -> Any:
        raise away

    monkeypatch.setattr(admin.control, "hooks", dict.fromkeys(OperationKind, broken))
    monkeypatch.setattr(admin.control.operations, "show", broken)
    answer = admin.call("POST", f"/tenants/{tenant}/suspend", json={"reason": "payment"})
    assert (answer.status_code, answer.json()["status"]) == (202, "running")
    assert admin.state(tenant) == "SUSPENDED"


def test_two_operators_at_once_leave_a_legal_state(admin: Admin) -> None:
    tenant = admin.tenant("ACTIVE")
    codes: list[int] = []

    def act(command: str) -> None:
        for _ in range(10):
            answer = admin.call("POST", f"/tenants/{tenant}/{command}", json={"reason": "incident"})
            codes.append(answer.status_code)

    threads = [threading.Thread(target=act, args=[command]) for command in ("suspend", "resume", "suspend", "resume")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(codes) <= {202, 409}
    moved = [row.event.type for row in audit(admin) if row.event.resource_id == tenant]
    commands = [name for name in moved if name in ("TENANT_SUSPENDED", "TENANT_RESUMED")]
    assert len(commands) == codes.count(202)
    assert all(one != other for one, other in itertools.pairwise(commands)), "one move twice in a row"
    assert (admin.state(tenant) == "SUSPENDED") is (commands[-1] == "TENANT_SUSPENDED")
