"""What becomes of work that was under way when a backup of the control plane was taken.

Nobody knows what has come of it since. A run that made hosts may have ended long ago, and documents may lie on them: to
go on with it, or back, could take away what serves by now. So nothing of that kind is gone on with; it ends, what it
had journalled stays, and what is there is looked for (provisioning.adopting). What only shuts, opens or closes a plane
goes on: planes refuse what is older than what they have heard.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from frostbyte.control_plane.provisioning.journal import Direction, RunState
from frostbyte.control_plane.provisioning.notes import run_event
from frostbyte.control_plane.provisioning.ports import ProvisioningUnitOfWork
from frostbyte.control_plane.registry.changes import changed, event_of, word
from frostbyte.control_plane.registry.records import OperationKind, OperationRow, OperationStatus
from frostbyte.control_plane.registry.states import Move, TenantState, moved
from frostbyte.kernel.audit.events import EventType
from frostbyte.kernel.clock import Clock

CODE: Final = "control_restored"
"""With which operations and runs end that were under way."""
GOES_ON: Final = frozenset({OperationKind.SUSPEND, OperationKind.RESUME, OperationKind.DEPROVISION})
_FREE: Final[dict[str, Any]] = {"holder": "", "leased_until": None}


def settle(uow: ProvisioningUnitOfWork, clock: Clock, actor: str) -> int:
    """End what is not to be gone on with; how many operations. The caller commits."""
    for run in uow.journal.running():
        if run.direction is not Direction.DOWN:
            ended = replace(run, state=RunState.FAILED, code=CODE, fence=run.fence + 1, ended_at=clock.now(), **_FREE)
            uow.journal.put_run(ended)
            run_event(uow, clock, ended, EventType.RUN_ENDED, actor, outcome=ended.state)
    count = 0
    for operation in uow.operations.running():
        if operation.kind not in GOES_ON:
            _end(uow, clock, operation, actor)
            count += 1
    return count


def _end(uow: ProvisioningUnitOfWork, clock: Clock, operation: OperationRow, actor: str) -> None:
    ended = replace(operation, status=OperationStatus.FAILED, code=CODE, ended_at=clock.now())
    uow.operations.end(ended)
    row = uow.tenants.get(operation.tenant_id, lock=True)
    if operation.kind is not OperationKind.PROVISION or row is None or row.state is not TenantState.PROVISIONING:
        return
    state, failed = moved(row.state, row.failed, Move.PROVISION_FAILED)
    details = {
        "reason": operation.reason,
        "operation_id": operation.operation_id,
        "from_state": word(row.state),
        "to_state": word(state),
        "status": "changed",
        "code": CODE,
    }
    type = event_of(Move.PROVISION_FAILED, row.failed)
    changed(uow, clock, row, type, actor, details, state=state, failed=failed)
