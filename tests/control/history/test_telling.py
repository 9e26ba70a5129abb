"""A history is what audit and operations hold, in order, in pages without a gap, by whom it may be seen."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from frostbyte.adapters.memory.clock import ManualClock
from frostbyte.adapters.registry.memory import MemoryRegistry
from frostbyte.adapters.registry.postgres import PostgresRegistry
from frostbyte.control_plane.history.telling import History
from frostbyte.control_plane.registry.changes import ITSELF, changed, found
from frostbyte.control_plane.registry.operations import Operations
from frostbyte.control_plane.registry.projects import Projects
from frostbyte.control_plane.registry.records import OperationKind, OperationRow, OperationStatus
from frostbyte.control_plane.registry.tenants import Tenants
from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.errors import NotFound
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.records import EventRow


class Desk:
    """A registry with one tenant, and hands that do things to it."""

    def __init__(self, registry: Any) -> None:
        self.registry, self.clock = registry, ManualClock()
        self.operations = Operations(registry.unit_of_work, self.clock)
        self.planes: list[EventRow] = []
        Projects(registry.unit_of_work, "test", self.clock).create("eu-1", actor="ann")
        self.clock.advance(1)
        Tenants(registry.unit_of_work, self.clock).create("acme", "eu-1", actor="ann")
        Tenants(registry.unit_of_work, self.clock).create("other", "eu-1", actor="eve")
        self.history = History(registry.unit_of_work, self.clock, self._of_plane)

    def _of_plane(
        self, tenant: str, types: Any, since: datetime | None, before: datetime, limit: int
    ) -> list[EventRow]:
        fitting = [row for row in self.planes if row.type in types and row.timestamp < before]
        return sorted(fitting, key=lambda row: row.timestamp, reverse=True)[:limit]

    def event(self, type: EventType, kind: str = "tenant", name: str = "acme", actor: str = "ann", **more: Any) -> None:
        self.clock.advance(1)
        with self.registry.unit_of_work() as uow:
            uow.audit.append(make_event("acme", type, self.clock, actor, kind, name, more))
            uow.commit()

    def duty(
        self, kind: OperationKind, *steps: tuple[str, str], event: EventType | None = None, code: str = ""
    ) -> None:
        """One that ran for 5 minutes."""
        row = OperationRow(
            operation_id=new_id(),
            tenant_id="acme",
            kind=kind,
            status=OperationStatus.RUNNING,
            actor="bob",
            reason="requested",
            started_at=self.clock.now(),
            ended_at=None,
            code="",
        )
        with self.registry.unit_of_work() as uow:
            uow.operations.add(row)
            uow.commit()
        for step, trouble in steps:
            self.clock.advance(10)
            self.operations.step(row.operation_id, step, code=trouble)
        self.clock.advance(300 - (self.clock.now() - row.started_at).total_seconds())
        self.operations.end(row.operation_id, code=code, told=(event, {}) if event else None)

    def sentences(self, **how: Any) -> list[str]:
        return [line.sentence for line in self.history.tell("acme", **how).lines]


@pytest.fixture
def desk() -> Desk:
    return Desk(MemoryRegistry())


def test_what_was_done_to_a_tenant_is_told_in_order_and_nothing_of_others(desk: Desk) -> None:
    desk.event(EventType.RESOURCE_CREATED, "network", "network", "provisioner")
    desk.event(EventType.RESOURCE_CREATED, "server", "server.db", "provisioner")
    desk.event(EventType.RESOURCE_CREATED, "server", "server.gateway", "provisioner")
    desk.event(EventType.LEDGER_FINDING, "ledger_alert", str(new_id()), "control", code="fork")
    desk.duty(
        OperationKind.SCALE,
        ("drained", ""),
        ("resized", "cloud_out_of_stock"),
        ("resized", "cloud_out_of_stock"),
        ("undo.drained", ""),
        event=EventType.TENANT_SCALED,
        code="cloud_out_of_stock",
    )
    desk.duty(OperationKind.ROTATE_AGE)
    assert desk.sentences() == [
        "ann entered the tenant into the register.",
        "The provisioner made the network and 2 servers.",
        "The ledger found that its log does not hold: fork.",
        "Scaling it was begun by bob (requested).",
        "The step resized failed 2 times: cloud_out_of_stock.",
        "Scaling it, as bob had asked, failed: cloud_out_of_stock. It took 5 minutes.",
        "Making anew what seals its secrets was begun by bob (requested).",
        "Making anew what seals its secrets was done after 5 minutes.",
    ]
    codes = [line.code for line in desk.history.tell("acme").lines]
    assert codes == ["", "", "fork", "", "cloud_out_of_stock", "cloud_out_of_stock", "", ""]


def test_one_that_goes_on_says_for_how_long_and_how_far(desk: Desk) -> None:
    with desk.registry.unit_of_work() as uow:
        row = OperationRow(
            operation_id=new_id(),
            tenant_id="acme",
            kind=OperationKind.UPDATE,
            status=OperationStatus.RUNNING,
            actor="bob",
            reason="",
            started_at=desk.clock.now(),
            ended_at=None,
            code="",
        )
        uow.operations.add(row)
        uow.commit()
    desk.operations.step(row.operation_id, "frozen")
    desk.clock.advance(3 * 3600)
    assert desk.sentences()[-2:] == [
        "Updating it was begun by bob.",
        "Updating it has gone on for 3 hours; last came the step frozen.",
    ]


def test_a_decision_that_was_overtaken_says_so(desk: Desk) -> None:
    with desk.registry.unit_of_work() as uow:  # as a tenant that was taken into service
        row = found(uow, "acme", lock=True)
        row = changed(uow, desk.clock, row, EventType.TENANT_ENDPOINTS_SET, "ann", {"reason": "requested"})
        uow.commit()
    assert "ann entered how its plane is reached (requested)." in desk.sentences()
    operation = OperationRow(
        operation_id=new_id(),
        tenant_id="acme",
        kind=OperationKind.SUSPEND,
        status=OperationStatus.RUNNING,
        actor="bob",
        reason="payment",
        started_at=desk.clock.now(),
        ended_at=None,
        code="",
    )
    with desk.registry.unit_of_work() as uow:
        uow.operations.add(operation)
        uow.commit()
    desk.clock.advance(4)
    desk.operations.end(operation.operation_id, code="operation_superseded")
    assert desk.sentences()[-1] == "Suspending it was overtaken by a newer decision after 4.0 seconds."


@pytest.mark.parametrize("limit", [1, 7, 500])
def test_pages_hold_every_line_once(desk: Desk, limit: int) -> None:
    paged(desk, limit)


def test_pages_out_of_a_database(postgres: PostgresRegistry) -> None:
    paged(Desk(postgres), 3)


def paged(desk: Desk, limit: int) -> None:
    for number in range(30):
        desk.event(EventType.API_KEY_CREATED, "api_key", f"k{number}", subject=f"machine:m{number}")
        if number % 10 == 0:
            desk.duty(OperationKind.BACKUP, ("taken", "backup_target_full"), event=EventType.TENANT_BACKED_UP)
    whole = desk.sentences(limit=500)
    assert len(whole) == 1 + 30 + 3 * 3
    pages, before = list[str](), None
    for _ in range(200):
        told = desk.history.tell("acme", limit=limit, before=before)
        pages = [line.sentence for line in told.lines] + pages
        before = told.before
        if before is None:
            break
    assert pages == whole


def test_since_and_before_bound_it(desk: Desk) -> None:
    for number in range(5):
        desk.event(EventType.TOKEN_REVOKED, "token", f"t{number}", token_id=f"t{number}")
    moments = [line.at for line in desk.history.tell("acme").lines]
    told = desk.history.tell("acme", since=moments[2], before=moments[4])
    assert [line.at for line in told.lines] == moments[2:4]
    assert told.before is None


def test_what_its_plane_says_is_told_where_it_may_be(desk: Desk) -> None:
    desk.clock.advance(5)
    for type, details in (
        (EventType.EXPORT_BEGUN, {"status": "begun"}),
        (EventType.DOCUMENT_INGESTED, {}),
        (EventType.TOKEN_MINTED, {}),
    ):
        desk.planes.append(make_event("acme", type, desk.clock, "carl", "export", "e1", details))
    desk.clock.advance(5)
    assert desk.sentences() == ["ann entered the tenant into the register."]
    assert desk.sentences(plane=True)[1:] == ["On its plane, carl began an export."]


def test_the_control_plane_itself_has_a_history(desk: Desk) -> None:
    assert [line.sentence for line in desk.history.tell(ITSELF).lines] == ["ann made the project eu-1."]


def test_of_nobody_nothing_is_told(desk: Desk) -> None:
    with pytest.raises(NotFound) as caught:
        desk.history.tell("nobody")
    assert caught.value.code == "tenant_not_found"
