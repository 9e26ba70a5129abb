"""What the faces ask of provisioning, answered: plans by the planner, what begins by operations. See asking.Asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from frostbyte.control_plane.provisioning.apply import tenant_served
from frostbyte.control_plane.provisioning.drift import Difference
from frostbyte.control_plane.provisioning.journal import EntryRow, EntryState
from frostbyte.control_plane.provisioning.planner import Planned, Planner
from frostbyte.control_plane.provisioning.ports import ProvisioningFactory
from frostbyte.control_plane.provisioning.runs import Provisioning
from frostbyte.control_plane.provisioning.undo import parted
from frostbyte.control_plane.registry.changes import found
from frostbyte.control_plane.registry.idempotency import Once
from frostbyte.control_plane.registry.operations import Operations
from frostbyte.control_plane.registry.records import OperationRow
from frostbyte.control_plane.registry.states import Failed, Move, TenantState


class Desk:
    """Implements asking.Asked.

    Args:
        unit_of_work: of registry and journal.
        planner: makes plans; it asks the cloud.
        provisioning: knows runs; `operations` begins and ends them with it.
        operations: the registry's.
    """

    def __init__(
        self, unit_of_work: ProvisioningFactory, planner: Planner, provisioning: Provisioning, operations: Operations
    ) -> None:
        self._unit_of_work, self._planner = unit_of_work, planner
        self._provisioning, self._operations = provisioning, operations

    def plan(self, tenant_id: str, values: Mapping[str, Any] | None = None, *, octet: int | None = None) -> Planned:
        """See asking.Asked."""
        return self._planner.tenant(tenant_id, values, octet=octet)

    def drift(self, tenant_id: str) -> list[Difference]:
        """See asking.Asked."""
        return self._planner.drift(tenant_id)

    def remains(self, tenant_id: str) -> list[EntryRow]:
        """See asking.Asked."""
        entries = self._provisioning.entries(self._provisioning.owner(tenant_id))
        return [row for row in entries if row.state is not EntryState.GONE]

    def ending(self, tenant_id: str, *, destroy_data: bool) -> tuple[list[EntryRow], list[EntryRow]]:
        """See asking.Asked."""
        with self._unit_of_work() as uow:
            in_service = tenant_served(uow, tenant_id)
        return parted(self.remains(tenant_id), served=in_service, destroy=destroy_data)

    def begin(
        self,
        tenant_id: str,
        move: Move,
        values: Mapping[str, Any] | None = None,
        *,
        actor: str,
        reason: str,
        octet: int | None = None,
        expected: int | None = None,
        confirmation: str = "",
        once: Once | None = None,
    ) -> OperationRow:
        """See asking.Asked. What cannot be carried out is refused before anything is begun."""
        request = values
        if self._to_be_made(tenant_id, move, values):
            planned = self._planner.tenant(tenant_id, values, octet=octet)
            planned.plan.check()
            request = planned.request.values()
        operation = self._operations.begin(
            tenant_id,
            move,
            actor=actor,
            reason=reason,
            expected=expected,
            confirmation=confirmation,
            request=request,
            once=once,
        )
        self._provisioning.wake()
        return operation

    def _to_be_made(self, tenant_id: str, move: Move, values: Mapping[str, Any] | None) -> bool:
        """Whether the move would make hosts. Elsewhere it is refused, or was answered before: that needs no plan.

        A plane that was attached by hand is tried again without any.
        """
        with self._unit_of_work() as uow:
            row = found(uow, tenant_id)
        pending = (row.state, move) == (TenantState.PENDING, Move.PROVISION)
        again = (row.failed, move) == (Failed.PROVISION, Move.RETRY)
        return pending or (again and (values is not None or self._made_before(tenant_id)))

    def _made_before(self, tenant_id: str) -> bool:
        return bool(self._provisioning.runs(self._provisioning.owner(tenant_id)))
