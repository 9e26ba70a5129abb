"""What every store of the registry promises."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest
from msgspec.structs import replace

from control.registry_rows import (
    NOW,
    Registry,
    add_tenant,
    change_tenant,
    config,
    endpoints,
    event,
    later,
    operation,
    prepared,
    project,
    step,
    tenant,
)
from frostbyte.control_plane.registry.ports import RegistryUnitOfWork
from frostbyte.control_plane.registry.records import (
    IdempotencyRow,
    OperationKind,
    OperationStatus,
    StandingRow,
    TenantTally,
)
from frostbyte.control_plane.registry.states import MOVES, Failed, TenantState
from frostbyte.kernel.errors import Conflict, FrostbyteError


def write(store: Registry, work: Callable[[RegistryUnitOfWork], Any]) -> Any:
    with store.unit_of_work() as uow:
        result = work(uow)
        uow.commit()
    return result


def refused(store: Registry, work: Callable[[RegistryUnitOfWork], Any]) -> str:
    """The code that this work ends with; it must change nothing."""
    with pytest.raises(FrostbyteError) as caught:
        write(store, work)
    return caught.value.code


def test_rows_come_back_as_they_were(registry: Registry) -> None:
    (row,) = prepared(registry)
    acting = operation(code="plane_unreachable", status=OperationStatus.FAILED, ended_at=later(3))
    standing = StandingRow(tenant_id="acme", acknowledged_version=3, acknowledged_at=NOW, code="plane_unreachable")
    answer = IdempotencyRow(subject="alice", key="k", digest=bytes(32), answer={"ü": [1, {"a": None}]}, created_at=NOW)

    def work(uow: RegistryUnitOfWork) -> None:
        uow.configs.add(config())
        uow.endpoints.put(endpoints())
        uow.standings.put(standing)
        uow.operations.add(acting)
        uow.operations.add_step(step(acting, 1, code="edge_unwritable", status=OperationStatus.FAILED))
        uow.idempotency.remember(answer)

    write(registry, work)
    with registry.unit_of_work() as uow:
        assert uow.projects.get("north") == project()
        assert uow.tenants.get("acme") == row
        assert uow.configs.get("acme", 1) == config()
        assert uow.endpoints.get("acme") == endpoints()
        assert uow.standings.get("acme") == standing
        assert uow.operations.get(acting.operation_id) == acting
        assert uow.operations.steps(acting.operation_id) == [
            step(acting, 1, code="edge_unwritable", status=OperationStatus.FAILED)
        ]
        assert uow.idempotency.recall("alice", "k") == answer
        assert uow.tenants.get_many(["acme", "nobody"]) == {"acme": row}
        assert uow.endpoints.get_many(["nobody", "acme"]) == {"acme": endpoints()}
        assert uow.standings.get_many(["acme"]) == {"acme": standing}


def test_what_is_not_there_is_none(registry: Registry) -> None:
    with registry.unit_of_work() as uow:
        assert uow.projects.get("north") is None
        assert uow.tenants.get("acme", lock=True) is None
        assert uow.configs.get("acme", 1) is None
        assert uow.endpoints.get("acme") is None
        assert uow.standings.get("acme") is None
        assert uow.operations.get(uuid4(), lock=True) is None
        assert uow.idempotency.recall("alice", "k") is None
        assert (uow.projects.page(), uow.tenants.page(), uow.operations.page()) == ([], [], [])


def test_nothing_stays_of_what_is_not_committed(registry: Registry) -> None:
    with registry.unit_of_work() as uow:
        uow.projects.add(project())
        add_tenant(uow, tenant())
    with registry.unit_of_work() as uow:
        assert uow.projects.get("north") is None
        assert uow.tenants.get("acme") is None
        assert uow.audit.unsequenced(10) == []


# The tenant's life


LIFE: dict[tuple[TenantState, Failed], list[tuple[TenantState, Failed]]] = {(TenantState.PENDING, Failed.NOTHING): []}
"""A way of legal moves to each place."""
for _ in MOVES:
    for (state, failed, _move), after in MOVES.items():
        if (state, failed) in LIFE:
            LIFE.setdefault(after, [*LIFE[(state, failed)], after])

PLACES = [(TenantState(state), Failed.NOTHING) for state in TenantState if state is not TenantState.FAILED]
PLACES += [(TenantState.FAILED, Failed.PROVISION), (TenantState.FAILED, Failed.DEPROVISION)]


def moved_to(uow: RegistryUnitOfWork, row: Any, place: tuple[TenantState, Failed]) -> Any:
    state, failed = place
    octet = None if state is TenantState.DEPROVISIONED else row.octet
    return change_tenant(uow, row, state=state, failed=failed, octet=octet)


@pytest.mark.parametrize("before", PLACES, ids=lambda place: "-".join(place))
def test_the_store_itself_refuses_every_move_that_the_table_does_not_hold(
    registry: Registry, before: tuple[TenantState, Failed]
) -> None:
    (row,) = prepared(registry)
    for place in LIFE[before]:
        row = write(registry, lambda uow, place=place, row=row: moved_to(uow, row, place))
    legal = {after for key, after in MOVES.items() if key[:2] == before}
    for after in PLACES:
        if after in legal:
            with registry.unit_of_work() as uow:  # and is undone
                moved_to(uow, row, after)
        elif after != before:
            assert refused(registry, lambda uow, after=after: moved_to(uow, row, after)) == "registry_refused"
    with registry.unit_of_work() as uow:
        assert uow.tenants.get("acme") == row


@dataclass(frozen=True)
class Forgery:
    """A change of a tenant that no rule allows."""

    values: dict[str, Any]
    code: str = "registry_refused"


@pytest.mark.parametrize(
    "forged",
    [
        Forgery({"project_id": "south"}),
        Forgery({"created_at": later(1)}),
        Forgery({"version": 3}, "tenant_changed"),
        Forgery({"version": 1}, "tenant_changed"),
        Forgery({"config_version": 3}),
        Forgery({"config_version": 0}),
        Forgery({"standing_version": 2}),
        Forgery({"standing_version": -1}),
        Forgery({"octet": 2}),
        Forgery({"octet": None}),
        Forgery({"last_event_id": None}),
        Forgery({"last_event_id": UUID(int=7)}),
        Forgery({"tenant_id": "other"}, "tenant_changed"),
    ],
    ids=lambda forged: "-".join(f"{name}-{value}" for name, value in forged.values.items()),
)
def test_a_forged_change_is_refused(registry: Registry, forged: Forgery) -> None:
    (row,) = prepared(registry)
    write(registry, lambda uow: uow.projects.add(project("south")))
    assert refused(registry, lambda uow: change_tenant(uow, row, **forged.values)) == forged.code
    with registry.unit_of_work() as uow:
        assert uow.tenants.get("acme") == row


def test_a_change_needs_an_event_of_its_own_in_its_own_transaction(registry: Registry) -> None:
    (row,) = prepared(registry)
    foreign, earlier = event("other"), event("acme")
    write(registry, lambda uow: uow.audit.append(earlier))

    def with_foreign(uow: RegistryUnitOfWork) -> None:
        uow.audit.append(foreign)
        uow.tenants.put(replace(row, version=2, last_event_id=foreign.event_id))

    assert refused(registry, with_foreign) == "registry_refused"
    for event_id in (earlier.event_id, row.last_event_id):
        again = replace(row, version=2, last_event_id=event_id)
        assert refused(registry, lambda uow, again=again: uow.tenants.put(again)) == "registry_refused"


@pytest.mark.parametrize(
    "values",
    [
        {"state": TenantState.ACTIVE},
        {"version": 2},
        {"config_version": 2},
        {"standing_version": 1},
        {"octet": 0},
        {"octet": 255},
        {"octet": None},
        {"project_id": "nowhere"},
    ],
    ids=str,
)
def test_a_tenant_begins_at_the_beginning(registry: Registry, values: dict[str, Any]) -> None:
    write(registry, lambda uow: uow.projects.add(project()))
    code = refused(registry, lambda uow: add_tenant(uow, tenant(**values)))
    assert code in ("registry_refused", "database_value_refused")


def test_an_id_is_never_given_out_again(registry: Registry) -> None:
    (row,) = prepared(registry)
    for place in LIFE[(TenantState.DEPROVISIONED, Failed.NOTHING)]:
        row = write(registry, lambda uow, place=place, row=row: moved_to(uow, row, place))
    assert refused(registry, lambda uow: add_tenant(uow, tenant(octet=9))) == "tenant_exists"


def test_a_network_belongs_to_one_tenant_until_it_is_given_back(registry: Registry) -> None:
    (row,) = prepared(registry)
    assert refused(registry, lambda uow: add_tenant(uow, tenant("other"))) == "octet_taken"
    write(registry, lambda uow: uow.projects.add(project("south")))
    write(registry, lambda uow: add_tenant(uow, tenant("elsewhere", project_id="south")))
    for place in LIFE[(TenantState.DEPROVISIONED, Failed.NOTHING)]:
        row = write(registry, lambda uow, place=place, row=row: moved_to(uow, row, place))
    with registry.unit_of_work() as uow:
        assert uow.tenants.octets("north") == frozenset()
        assert uow.tenants.octets("south") == {1}
    write(registry, lambda uow: add_tenant(uow, tenant("other")))


def test_two_who_saw_the_same_version_do_not_both_win(registry: Registry) -> None:
    (row,) = prepared(registry)
    outcomes: list[str] = []
    begin = threading.Barrier(2)

    def change() -> None:
        try:
            with registry.unit_of_work() as uow:
                begin.wait(10)
                change_tenant(uow, row, state=TenantState.PROVISIONING)
                uow.commit()
            outcomes.append("won")
        except Conflict as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=change) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["tenant_changed", "won"]


# Lists


def test_pages_go_on_where_the_last_ended(registry: Registry) -> None:
    prepared(registry, *(tenant(f"t{number:03}", octet=number + 1) for number in range(25)))
    seen: list[str] = []
    with registry.unit_of_work() as uow:
        while page := uow.tenants.page(after=seen[-1] if seen else "", limit=7):
            seen += [row.tenant_id for row in page]
    assert seen == [f"t{number:03}" for number in range(25)]


def test_lists_are_filtered_and_counted(registry: Registry) -> None:
    rows = prepared(registry, *(tenant(f"t{number}", octet=number + 1) for number in range(6)))
    write(registry, lambda uow: uow.projects.add(project("south")))
    write(registry, lambda uow: add_tenant(uow, tenant("s1", project_id="south")))
    write(registry, lambda uow: [change_tenant(uow, row, state=TenantState.PROVISIONING) for row in rows[1:3]])
    with registry.unit_of_work() as uow:
        pending = TenantState.PENDING
        assert [row.tenant_id for row in uow.tenants.page(state=pending, after="t0")] == ["t3", "t4", "t5"]
        assert [row.tenant_id for row in uow.tenants.page(project_id="south")] == ["s1"]
        provisioning = uow.tenants.page(project_id="north", state=TenantState.PROVISIONING)
        assert [row.tenant_id for row in provisioning] == ["t1", "t2"]
        assert uow.tenants.page(project_id="south", state=TenantState.PROVISIONING) == []
        assert [row.project_id for row in uow.projects.page(after="north")] == ["south"]
        assert uow.tenants.tally() == [
            TenantTally(project_id="north", state=pending, count=4),
            TenantTally(project_id="north", state=TenantState.PROVISIONING, count=2),
            TenantTally(project_id="south", state=pending, count=1),
        ]


# Configurations, endpoints, standings


def test_a_version_of_a_configuration_is_added_once(registry: Registry) -> None:
    prepared(registry)
    for version in (1, 2, 3):
        write(registry, lambda uow, version=version: uow.configs.add(config(version)))
    assert refused(registry, lambda uow: uow.configs.add(config(2, values={}))) == "config_changed"
    with registry.unit_of_work() as uow:
        assert [row.version for row in uow.configs.page("acme")] == [3, 2, 1]
        assert [row.version for row in uow.configs.page("acme", before=3, limit=1)] == [2]
        assert uow.configs.page("other") == []


def test_endpoints_and_standings_are_replaced(registry: Registry) -> None:
    prepared(registry)
    for version in (1, 2):
        standing = StandingRow(tenant_id="acme", acknowledged_version=version, acknowledged_at=None, code="")
        moved = endpoints(gateway_url=f"https://10.1.1.{version}:8080")
        write(registry, lambda uow, s=standing, m=moved: (uow.standings.put(s), uow.endpoints.put(m)))
    with registry.unit_of_work() as uow:
        found = uow.endpoints.get("acme")
        assert found is not None
        assert found.gateway_url == "https://10.1.1.2:8080"
        assert uow.standings.get("acme") == standing


# Operations


def test_one_operation_runs_for_a_tenant(registry: Registry) -> None:
    prepared(registry, tenant(), tenant("other", octet=2))
    first, second = operation(), operation()
    write(registry, lambda uow: uow.operations.add(first))
    assert refused(registry, lambda uow: uow.operations.add(second)) == "operation_running"
    write(registry, lambda uow: uow.operations.add(operation("other")))
    ended = replace(first, status=OperationStatus.SUCCEEDED, ended_at=later(1))
    write(registry, lambda uow: uow.operations.end(ended))
    write(registry, lambda uow: uow.operations.add(second))
    with registry.unit_of_work() as uow:
        assert uow.operations.running("acme") == [second]
        assert [row.tenant_id for row in uow.operations.running()] == ["acme", "other"]
        assert uow.operations.page(tenant_id="acme") == [second, ended]
        assert uow.operations.page(tenant_id="acme", before=second.operation_id) == [ended]
        assert len(uow.operations.page(limit=2)) == 2


@pytest.mark.parametrize(
    "forged",
    [
        {"tenant_id": "other"},
        {"actor": "mallory"},
        {"reason": "payment"},
        {"started_at": later(9)},
        {"status": OperationStatus.RUNNING, "ended_at": None},
    ],
    ids=str,
)
def test_an_operation_ends_once_and_changes_in_nothing_else(registry: Registry, forged: dict[str, Any]) -> None:
    prepared(registry, tenant(), tenant("other", octet=2))
    row = operation()
    write(registry, lambda uow: uow.operations.add(row))
    ended = replace(row, status=OperationStatus.FAILED, code="plane_unreachable", ended_at=later(1))
    assert refused(registry, lambda uow: uow.operations.end(replace(ended, **forged))) == "registry_refused"
    assert refused(registry, lambda uow: uow.operations.end(replace(ended, operation_id=uuid4()))) == "registry_refused"
    write(registry, lambda uow: uow.operations.end(ended))
    assert refused(registry, lambda uow: uow.operations.end(ended)) == "registry_refused"
    with registry.unit_of_work() as uow:
        assert uow.operations.get(row.operation_id) == ended


def test_steps_are_read_on_from_a_number(registry: Registry) -> None:
    prepared(registry)
    row = operation()
    write(registry, lambda uow: (uow.operations.add(row), uow.operations.add_step(step(row, 1))))
    write(registry, lambda uow: uow.operations.add_step(step(row, 2)))
    assert refused(registry, lambda uow: uow.operations.add_step(step(row, 2))) == "row_exists"
    with registry.unit_of_work() as uow:
        assert uow.operations.steps(row.operation_id, after=1) == [step(row, 2)]


# Idempotency


def answered(key: str = "k", subject: str = "alice", seconds: float = 0.0) -> IdempotencyRow:
    return IdempotencyRow(subject=subject, key=key, digest=bytes(32), answer={"n": 1}, created_at=later(seconds))


def test_answers_are_kept_by_subject_and_key_and_forgotten_by_age(registry: Registry) -> None:
    write(registry, lambda uow: uow.idempotency.remember(answered()))
    write(registry, lambda uow: uow.idempotency.remember(answered("other", seconds=5)))
    write(registry, lambda uow: uow.idempotency.remember(answered(subject="bob", seconds=9)))
    assert refused(registry, lambda uow: uow.idempotency.remember(answered())) == "row_exists"
    assert write(registry, lambda uow: uow.idempotency.forget(later(5))) == 1
    with registry.unit_of_work() as uow:
        assert uow.idempotency.recall("alice", "k") is None
        assert uow.idempotency.recall("alice", "other") == answered("other", seconds=5)


def test_the_second_of_two_equal_requests_waits_for_the_first(registry: Registry) -> None:
    inside = threading.Event()
    found: list[IdempotencyRow | None] = []

    def second() -> None:
        inside.wait(10)
        with registry.unit_of_work() as uow:
            found.append(uow.idempotency.recall("alice", "k"))

    thread = threading.Thread(target=second)
    thread.start()
    with registry.unit_of_work() as uow:
        assert uow.idempotency.recall("alice", "k") is None
        inside.set()
        thread.join(0.2)
        assert thread.is_alive()
        uow.idempotency.remember(answered())
        uow.commit()
    thread.join(10)
    assert found == [answered()]


def test_nothing_belongs_to_a_tenant_that_is_not(registry: Registry) -> None:
    nobodys = StandingRow(tenant_id="nobody", acknowledged_version=0, acknowledged_at=None, code="")
    works: list[Callable[[RegistryUnitOfWork], None]] = [
        lambda uow: uow.operations.add(operation("nobody")),
        lambda uow: uow.configs.add(config(tenant_id="nobody")),
        lambda uow: uow.endpoints.put(endpoints("nobody")),
        lambda uow: uow.standings.put(nobodys),
    ]
    assert {refused(registry, work) for work in works} == {"database_value_refused"}


@pytest.mark.parametrize("kind", OperationKind)
def test_every_kind_of_operation_is_taken(registry: Registry, kind: OperationKind) -> None:
    prepared(registry)
    row = operation(kind=kind)
    write(registry, lambda uow: uow.operations.add(row))
    with registry.unit_of_work() as uow:
        assert uow.operations.get(row.operation_id) == row
