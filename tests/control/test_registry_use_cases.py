"""What operators do with projects and tenants, and what each of it leaves in the audit."""

from __future__ import annotations

import threading
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from control.offices import Office, log_key
from control.registry_rows import Registry
from frostbyte.control_plane.registry.idempotency import KEPT, Once, forget, once
from frostbyte.control_plane.registry.records import OperationKind, OperationRow, OperationStatus
from frostbyte.control_plane.registry.states import Failed, Move, TenantState
from frostbyte.kernel.errors import Conflict, FrostbyteError, Invalid, NotFound
from frostbyte.kernel.tenancy import TenantConfig


@pytest.fixture
def office(registry: Registry) -> Office:
    return Office(registry)


def test_a_tenant_begins_with_the_lowest_network_and_the_defaults(office: Office) -> None:
    rows = [office.tenants.create(name, "north", actor="alice") for name in ("acme", "beta")]
    given = office.tenants.create("gamma", "north", actor="alice", octet=9, values={"top_k": 7})
    assert [row.octet for row in (*rows, given)] == [1, 2, 9]
    detail = office.tenants.detail("gamma")
    assert detail.tenant == given
    assert detail.config.values == msgspec.json.decode(msgspec.json.encode(TenantConfig(top_k=7)))
    assert (detail.endpoints, detail.standing, detail.operation) == (None, None, None)
    assert office.types() == ["PROJECT_CREATED", *["TENANT_CREATED"] * 3]
    assert [(event.tenant_id, event.actor) for event in office.events()[:2]] == [
        ("control", "alice"),
        ("acme", "alice"),
    ]


@pytest.mark.parametrize(
    ("values", "code", "says"),
    [
        ({"tenant_id": "acme"}, "tenant_exists", "PENDING"),
        ({"tenant_id": "admin"}, "tenant_id_invalid", ""),
        ({"tenant_id": "a{{b"}, "tenant_id_invalid", ""),
        ({"project_id": "south"}, "project_not_found", ""),
        ({"octet": 1}, "octet_taken", "2-6, 8-254"),
        ({"octet": 0}, "octet_invalid", ""),
        ({"octet": 255}, "octet_invalid", ""),
        ({"values": {"top_k": 99}}, "config_invalid", "top_k"),
        ({"values": {"shoe_size": 1}}, "config_invalid", "shoe_size"),
    ],
)
def test_what_cannot_be_a_tenant_is_refused_and_leaves_nothing(
    office: Office, values: dict[str, Any], code: str, says: str
) -> None:
    office.tenants.create("acme", "north", actor="alice")
    office.tenants.create("beta", "north", actor="alice", octet=7)
    before = office.types()
    with pytest.raises(FrostbyteError) as caught:
        office.tenants.create(**({"tenant_id": "other", "project_id": "north", "actor": "alice"} | values))
    assert caught.value.code == code
    assert says in caught.value.message + caught.value.remedy
    assert office.types() == before


def test_a_full_project_says_so_and_takes_one_again_after_a_network_came_back(office: Office) -> None:
    with office.store.unit_of_work() as uow:
        uow.projects.lock("north")
    office.active("t0")
    for number in range(1, 254):
        office.tenants.create(f"t{number}", "north", actor="alice")
    with pytest.raises(Conflict) as caught:
        office.tenants.create("late", "north", actor="alice")
    assert caught.value.code == "project_full"
    operation = office.begin(Move.DEPROVISION, "t0", confirmation="t0")
    office.operations.end(operation.operation_id)
    assert office.tenants.show("t0").octet is None
    assert office.tenants.create("late", "north", actor="alice").octet == 1


def test_a_configuration_is_changed_by_who_saw_the_newest(office: Office) -> None:
    office.tenants.create("acme", "north", actor="alice", values={"top_k": 7})
    changed = office.tenants.configure("acme", {"retention_days": 30}, expected=1, actor="bob")
    assert (changed.version, changed.values["top_k"], changed.values["retention_days"]) == (2, 7, 30)
    row = office.tenants.show("acme")
    assert (row.version, row.config_version) == (2, 2)
    with pytest.raises(Conflict) as caught:
        office.tenants.configure("acme", {"top_k": 3}, expected=1, actor="carol")
    assert caught.value.code == "config_changed"
    assert "bob" in caught.value.message
    with pytest.raises(Invalid):
        office.tenants.configure("acme", {"top_k": 0}, expected=2, actor="carol")
    assert [config.version for config in office.tenants.configs("acme")] == [2, 1]
    last = office.events()[-1]
    assert (last.type, last.details["changed"]) == ("TENANT_CONFIG_UPDATED", ["retention_days"])


def test_a_whole_life_is_one_chain_of_events(office: Office) -> None:
    office.tenants.create("acme", "north", actor="alice")
    office.operations.end(office.attach().operation_id, code="plane_unreachable")
    assert office.tenants.show("acme").failed is Failed.PROVISION
    office.operations.end(office.attach(gateway_url="https://10.1.1.3:8080").operation_id)
    office.operations.end(office.begin(Move.SUSPEND, reason="payment", actor="bob").operation_id)
    office.operations.end(office.begin(Move.RESUME).operation_id)
    leaving = office.begin(Move.DEPROVISION, confirmation="acme")
    office.operations.end(leaving.operation_id, code="plane_unreachable")
    office.operations.end(office.begin(Move.RETRY).operation_id)
    row = office.tenants.show("acme")
    assert (row.state, row.octet) == (TenantState.DEPROVISIONED, None)
    events = [event for event in office.events() if event.tenant_id == "acme"]
    assert [event.type for event in events] == [
        "TENANT_CREATED",
        "TENANT_ENDPOINTS_SET",
        "TENANT_PROVISION_STARTED",
        "TENANT_PROVISION_FAILED",
        "TENANT_ENDPOINTS_SET",
        "TENANT_PROVISION_RETRY",
        "TENANT_PROVISIONED",
        "TENANT_SUSPENDED",
        "TENANT_RESUMED",
        "TENANT_DEPROVISION_STARTED",
        "TENANT_DEPROVISION_FAILED",
        "TENANT_DEPROVISION_STARTED",
        "TENANT_DEPROVISIONED",
    ]
    assert [event.previous_event_id for event in events] == [None, *(event.event_id for event in events[:-1])]
    assert [event.details["version"] for event in events] == list(range(1, 14))
    assert row.version == 13
    assert (events[7].actor, events[7].details["reason"]) == ("bob", "payment")
    assert events[3].details["code"] == "plane_unreachable"
    assert row.standing_version == 6  # provision, retry, suspend, resume, deprovision, retry
    with pytest.raises(Conflict) as caught:
        office.tenants.configure("acme", {"top_k": 3}, expected=1, actor="alice")
    assert caught.value.code == "tenant_deprovisioned"


def test_what_could_not_be_provisioned_is_given_up(office: Office) -> None:
    office.tenants.create("acme", "north", actor="alice")
    office.operations.end(office.attach().operation_id, code="plane_unreachable")
    with pytest.raises(Invalid) as caught:
        office.begin(Move.ABANDON)
    assert caught.value.code == "confirmation_wrong"
    operation = office.begin(Move.ABANDON, confirmation="acme")
    assert operation.kind is OperationKind.DEPROVISION
    office.operations.end(operation.operation_id)
    assert office.tenants.show("acme").state is TenantState.DEPROVISIONED
    assert office.types()[-2:] == ["TENANT_ABANDONED", "TENANT_DEPROVISIONED"]


def test_who_comes_too_late_is_told_what_happened(office: Office) -> None:
    office.active()
    version = office.tenants.show("acme").version
    office.begin(Move.SUSPEND, actor="bob", expected=version)
    for move in (Move.SUSPEND, Move.DEPROVISION):
        with pytest.raises(Conflict) as caught:
            office.begin(move, expected=version, confirmation="acme")
        assert caught.value.code == "tenant_changed"
        assert "TENANT_SUSPENDED by bob" in caught.value.message
    with pytest.raises(Conflict) as caught:  # in need nobody names a version
        office.begin(Move.SUSPEND)
    assert caught.value.code == "move_illegal"
    assert "TENANT_SUSPENDED by bob" in caught.value.message


def test_two_operators_at_once_one_wins(office: Office) -> None:
    office.active()
    version = office.tenants.show("acme").version
    barrier = threading.Barrier(2)
    outcomes: list[str] = []

    def act(move: Move, actor: str) -> None:
        barrier.wait(10)
        try:
            office.begin(move, actor=actor, expected=version, confirmation="acme")
            outcomes.append("won")
        except Conflict as error:
            outcomes.append(error.code)

    threads = [
        threading.Thread(target=act, args=(Move.SUSPEND, "bob")),
        threading.Thread(target=act, args=(Move.DEPROVISION, "carol")),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["tenant_changed", "won"]
    assert len(office.types()) == 6  # project, created, endpoints, started, provisioned, and one of the two


def test_resuming_does_not_wait_for_a_plane_that_never_acknowledged(office: Office) -> None:
    office.active()
    suspending = office.begin(Move.SUSPEND)
    office.operations.step(suspending.operation_id, "edge_closed")
    resuming = office.begin(Move.RESUME)
    assert office.operations.show(suspending.operation_id).code == "operation_superseded"
    for late in (
        lambda: office.operations.step(suspending.operation_id, "plane_acknowledged"),
        lambda: office.operations.end(suspending.operation_id),
    ):
        with pytest.raises(Conflict) as caught:
            late()
        assert caught.value.code == "operation_ended"
    office.operations.end(resuming.operation_id)
    assert office.tenants.show("acme").state is TenantState.ACTIVE


def test_steps_are_numbered_and_read_on(office: Office) -> None:
    office.active()
    operation = office.begin(Move.SUSPEND)
    office.operations.step(operation.operation_id, "registry_committed")
    office.operations.step(operation.operation_id, "edge_closed", code="edge_unwritable")
    steps = office.operations.steps(operation.operation_id, after=1)
    assert [(step.number, step.step, step.status.value, step.code) for step in steps] == [
        (2, "edge_closed", "failed", "edge_unwritable")
    ]
    assert office.tenants.detail("acme").operation == operation
    assert [row.kind for row in office.operations.page(tenant_id="acme")] == [
        OperationKind.SUSPEND,
        OperationKind.PROVISION,
    ]
    for ask in (office.operations.show, office.operations.steps, office.operations.end):
        with pytest.raises(NotFound) as caught:
            ask(uuid4())
        assert caught.value.code == "operation_not_found"


@pytest.mark.parametrize("move", [Move.PROVISIONED, Move.DEPROVISIONED, Move.PROVISION_FAILED])
def test_nobody_but_the_operation_makes_its_last_move(office: Office, move: Move) -> None:
    office.tenants.create("acme", "north", actor="alice")
    office.attach()
    with pytest.raises(Conflict):
        office.begin(move)
    assert office.tenants.show("acme").state is TenantState.PROVISIONING


def test_nothing_is_provisioned_that_nobody_can_reach(office: Office) -> None:
    office.tenants.create("acme", "north", actor="alice")
    with pytest.raises(Conflict) as caught:
        office.begin(Move.PROVISION)
    assert caught.value.code == "endpoints_missing"


@pytest.mark.parametrize(
    "values",
    [
        {"gateway_url": "https://10.1.1.2:8080/path"},
        {"gateway_url": "https://u:p@10.1.1.2"},
        {"gateway_url": "https://{{ env `HOME` }}"},
        {"gateway_url": "https://a\n  evil: true"},
        {"gateway_url": "ftp://10.1.1.2"},
        {"gateway_url": "https://10.1.1.2:99999"},
        {"gateway_url": "https://[::zz]:80"},
        {"gateway_url": "https://a..b"},
        {"channel_url": "http://10.1.1.2:8443"},
        {"ca_pem": ""},
        {"ca_pem": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"},
        {"log_key": "nonsense"},
        {"log_key": log_key("frostbyte/other/plane")},
        {"reason": "because they did not pay"},
    ],
    ids=str,
)
def test_a_way_that_is_none_is_not_registered(office: Office, values: dict[str, str]) -> None:
    office.tenants.create("acme", "north", actor="alice")
    with pytest.raises(Invalid):
        office.attach(**values)
    assert office.tenants.show("acme").version == 1


def test_a_plane_on_this_host_may_do_without_an_authority(office: Office) -> None:
    office.tenants.create("acme", "north", actor="alice")
    office.attach(gateway_url="http://127.0.0.1:8080", channel_url="https://[::1]:8443", ca_pem="")
    assert office.tenants.show("acme").state is TenantState.PROVISIONING


# Twice is once


def asked(key: str = "k1", **body: Any) -> Once:
    request = once("alice", key, "POST /tenants", body)
    assert request is not None
    return request


def test_a_repeated_request_is_answered_the_same_and_does_nothing(office: Office) -> None:
    first = office.tenants.create("acme", "north", actor="alice", once=asked(tenant="acme"))
    office.active("beta")
    before = office.types()
    assert office.tenants.create("acme", "north", actor="alice", once=asked(tenant="acme")) == first
    assert office.types() == before
    operation = office.begin(Move.SUSPEND, "beta", once=asked("k2"))
    assert office.begin(Move.SUSPEND, "beta", once=asked("k2")) == operation
    config = office.tenants.configure("acme", {"top_k": 2}, expected=1, actor="alice", once=asked("k3"))
    assert office.tenants.configure("acme", {"top_k": 2}, expected=1, actor="alice", once=asked("k3")) == config
    assert len(office.types()) == len(before) + 2


def test_another_request_under_the_same_key_is_refused(office: Office) -> None:
    office.tenants.create("acme", "north", actor="alice", once=asked(tenant="acme"))
    with pytest.raises(Conflict) as caught:
        office.tenants.create("beta", "north", actor="alice", once=asked(tenant="beta"))
    assert caught.value.code == "idempotency_conflict"
    assert once("alice", "", "POST /tenants", {}) is None


def test_what_failed_may_be_asked_again_under_its_key(office: Office) -> None:
    with pytest.raises(NotFound):
        office.tenants.create("acme", "south", actor="alice", once=asked(tenant="acme"))
    office.projects.create("south", actor="alice")
    assert office.tenants.create("acme", "south", actor="alice", once=asked(tenant="acme")).project_id == "south"


def test_answers_are_forgotten_after_a_week(office: Office) -> None:
    office.projects.create("south", actor="alice", once=asked())
    assert forget(office.store.unit_of_work, office.clock) == 0
    office.clock.advance(KEPT.total_seconds() + 1)
    assert forget(office.store.unit_of_work, office.clock) == 1


# After a crash


def test_what_a_killed_control_plane_left_running_is_carried_on_or_ended(office: Office) -> None:
    for name in ("acme", "beta", "gamma"):
        office.active(name)
    suspending = office.begin(Move.SUSPEND, "acme")
    leaving = office.begin(Move.DEPROVISION, "beta", confirmation="beta")
    resumed: list[OperationRow] = []
    found = office.operations.resume({OperationKind.SUSPEND: resumed.append})
    assert found == [suspending, leaving]
    assert resumed == [suspending]
    assert office.operations.show(leaving.operation_id).code == "operation_interrupted"
    row = office.tenants.show("beta")
    assert (row.state, row.failed) == (TenantState.FAILED, Failed.DEPROVISION)

    def refuses(operation: OperationRow) -> None:
        raise Conflict("plane_unreachable", "It does not answer.", "")

    office.operations.resume({OperationKind.SUSPEND: refuses})
    assert office.operations.show(suspending.operation_id).code == "plane_unreachable"
    assert office.tenants.show("acme").state is TenantState.SUSPENDED
    assert office.operations.resume({}) == []
    assert office.operations.show(suspending.operation_id).status is OperationStatus.FAILED
