"""What the faces (HTTP, commands) ask of provisioning. Plans touch nothing; `begin` writes down and returns at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from frostbyte.control_plane.provisioning.drift import Difference
from frostbyte.control_plane.provisioning.journal import Direction, EntryRow
from frostbyte.control_plane.provisioning.planner import Planned as Planned
from frostbyte.control_plane.provisioning.planner import Planner
from frostbyte.control_plane.provisioning.ports import ProvisioningFactory
from frostbyte.control_plane.provisioning.runs import Provisioning
from frostbyte.control_plane.registry.changes import found
from frostbyte.control_plane.registry.idempotency import Once, recalled
from frostbyte.control_plane.registry.operations import Operations
from frostbyte.control_plane.registry.records import OperationRow
from frostbyte.control_plane.registry.states import Failed, Move

_UP: Final = {(Move.PROVISION, Failed.NOTHING), (Move.RETRY, Failed.PROVISION)}


class Asked:
    """The use cases.

    Args:
        unit_of_work: of registry and journal.
        operations: begins and ends operations, with their runs.
        runs: what is made and left.
        planner: makes plans for any project.
    """

    def __init__(
        self, unit_of_work: ProvisioningFactory, operations: Operations, runs: Provisioning, planner: Planner
    ) -> None:
        self._unit_of_work = unit_of_work
        self._operations = operations
        self._runs = runs
        self._planner = planner

    def plan(self, tenant_id: str, values: Mapping[str, Any] | None = None, *, octet: int | None = None) -> Planned:
        """As Planner.tenant."""
        return self._planner.tenant(tenant_id, values, octet=octet)

    def drift(self, tenant_id: str) -> list[Difference]:
        """As Planner.drift."""
        return self._planner.drift(tenant_id)

    def remains(self, tenant_id: str) -> list[EntryRow]:
        """What of a tenant exists, or may, in the order of its plan. Raises NotFound("tenant_not_found")."""
        return self._runs.remaining(self._runs.owner(tenant_id))

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
        """Move the tenant and begin the operation with its run, if the plan for it can be carried out now.

        Args:
            tenant_id: which tenant.
            move: PROVISION, RETRY, ABANDON or DEPROVISION.
            values: of PROVISION and of RETRY after it: of a desired.Request, laid over what was asked for last;
                of DEPROVISION, ABANDON and of RETRY after them: `destroy_data`. None for what was said before.
            octet: as Planner.tenant.
            actor, reason, expected, confirmation, once: as registry.operations.Operations.begin.

        Raises:
            FrostbyteError: as Operations.begin, Planner.tenant and Plan.check.
        """
        with self._unit_of_work() as uow:
            before = recalled(uow, once, OperationRow)
            if before is not None:
                return before
            row = found(uow, tenant_id)
        request: Mapping[str, Any] | None = values
        if (move, row.failed) in _UP and (values is not None or self._ours(tenant_id)):
            planned = self._planner.tenant(tenant_id, values, octet=octet)
            planned.plan.check()
            request = planned.request.values()
        return self._operations.begin(
            tenant_id,
            move,
            actor=actor,
            reason=reason,
            expected=expected,
            confirmation=confirmation,
            request=request,
            once=once,
        )

    def _ours(self, tenant_id: str) -> bool:
        """Whether hosts were ever asked for, and not a plane attached that somebody else had made."""
        return any(run.direction is not Direction.DOWN for run in self._runs.runs(self._runs.owner(tenant_id)))
