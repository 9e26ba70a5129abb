"""What a project's base is, told by whoever made it to the control plane that runs on it.

The base is made before there is a control plane: from an operator's machine, by the same engine and a journal of its
own there. What that journal says of the base is handed over, so that the new control plane knows the edge, the bastion
and the firewalls as its own base, and its sweeper never takes them for somebody's leftovers.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from frostbyte.control_plane.provisioning.journal import Direction, EntryRow, EntryState, RunRow, RunState
from frostbyte.control_plane.provisioning.ports import ProvisioningFactory, ProvisioningUnitOfWork
from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.control_plane.registry.changes import ITSELF
from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import Conflict, Invalid
from frostbyte.kernel.ids import new_id

_FORMAT: Final = 1
_MOMENT: Final = timedelta(minutes=1)


class Handed(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the base that is done."""

    key: str
    action: str
    kind: str
    name: str
    spec: dict[str, Any]
    spec_sha256: str
    needs: list[str]
    position: int
    resource_id: str
    facts: dict[str, Any]


class Base(msgspec.Struct, frozen=True, kw_only=True):
    """A project's base."""

    format: int
    environment: str
    project_id: str
    request: dict[str, Any]
    entries: list[Handed]


def told(unit_of_work: ProvisioningFactory, owner: Owner) -> bytes:
    """What the journal says of a base that is done, as JSON. No secret is in it."""
    with unit_of_work() as uow:
        runs, entries = uow.journal.runs(owner), uow.journal.entries(owner)
    base = Base(
        format=_FORMAT,
        environment=owner.environment,
        project_id=owner.project_id,
        request=runs[0].request if runs else {},
        entries=[_handed(row) for row in entries if row.state is EntryState.DONE],
    )
    return msgspec.json.format(msgspec.json.encode(base, order="deterministic"), indent=1) + b"\n"


def read(text: bytes) -> Base:
    """What was handed over. Raises Invalid("base_unreadable")."""
    try:
        found = msgspec.json.decode(text, type=Base)
    except msgspec.DecodeError:
        found = None
    if found is None or found.format != _FORMAT:
        raise Invalid(
            "base_unreadable",
            "What should describe the base is not written by a `frostbyte control up` of this version.",
            "Run `frostbyte control up` again, with the version that runs here.",
        )
    return found


def adopt(unit_of_work: ProvisioningFactory, clock: Clock, base: Base, actor: str) -> int:
    """Take a base over, all of it or nothing; again, and only what has changed is written.

    Returns:
        how many entries were written.

    Raises:
        NotFound: the project is not there (`project_not_found` of the registry).
        Conflict: `run_running`: something is done to this base just now; `base_of_another_environment`.
    """
    owner = Owner(environment=base.environment, project_id=base.project_id)
    with unit_of_work() as uow:
        known = {row.key: row for row in uow.journal.entries(owner)}
        fresh = [one for one in base.entries if not _same(known.get(one.key), one)]
        wanted = {one.key for one in base.entries}
        over = [row for row in known.values() if row.key not in wanted and row.state is not EntryState.GONE]
        if not fresh and not over:
            return 0
        run = _begun(uow, clock, owner, base.request)
        for one in fresh:
            _written(uow, clock, run, one)
        for row in over:
            _let_go(uow, clock, run, row)
        ended = replace(run, state=RunState.SUCCEEDED, holder="", leased_until=None, ended_at=clock.now())
        uow.journal.put_run(ended)
        details = {"component": "provisioning", "provision_id": run.run_id, "direction": run.direction}
        uow.audit.append(
            make_event(
                ITSELF, EventType.RUN_ENDED, clock, actor, "run", str(run.run_id), details | {"outcome": "succeeded"}
            )
        )
        uow.commit()
    return len(fresh) + len(over)


def _handed(row: EntryRow) -> Handed:
    return Handed(
        key=row.key,
        action=row.action,
        kind=row.kind,
        name=row.name,
        spec=row.spec,
        spec_sha256=row.spec_sha256,
        needs=row.needs,
        position=row.position,
        resource_id=row.resource_id,
        facts=row.facts,
    )


def _same(row: EntryRow | None, one: Handed) -> bool:
    return row is not None and row.state is EntryState.DONE and _handed(row) == one


def _begun(uow: ProvisioningUnitOfWork, clock: Clock, owner: Owner, request: dict[str, Any]) -> RunRow:
    """A run that begins and ends within one transaction: no provisioner ever sees it."""
    now = clock.now()
    before = max((other.fence for other in uow.journal.runs(owner)), default=0)
    row = RunRow(
        run_id=new_id(),
        environment=owner.environment,
        project_id=owner.project_id,
        tenant_id="",
        direction=Direction.UP,
        state=RunState.RUNNING,
        request=request,
        plan={},
        fence=before + 1,
        holder="",
        leased_until=None,
        started_at=now,
        ended_at=None,
        code="",
    )
    uow.journal.begin(row)
    taken = uow.journal.take(row.run_id, "handover", now, now + _MOMENT)
    if taken is None:
        raise Conflict("run_running", "Something is done to this base just now.", "Wait until it has ended.")
    return taken


def _written(uow: ProvisioningUnitOfWork, clock: Clock, run: RunRow, one: Handed) -> None:
    row = EntryRow(
        environment=run.environment,
        project_id=run.project_id,
        tenant_id="",
        run_id=run.run_id,
        state=EntryState.INTENDED,
        attempts=0,
        code="",
        fence=run.fence,
        changed_at=clock.now(),
        **{name: getattr(one, name) for name in Handed.__struct_fields__},
    )
    uow.journal.put(row)
    _audited(uow, clock, run, row, EventType.RESOURCE_ADOPTED)
    uow.journal.put(replace(row, state=EntryState.DONE))


def _let_go(uow: ProvisioningUnitOfWork, clock: Clock, run: RunRow, row: EntryRow) -> None:
    """Whoever made the base has taken it away."""
    row = replace(row, fence=run.fence, changed_at=clock.now())
    uow.journal.put(replace(row, state=EntryState.UNDOING))
    _audited(uow, clock, run, row, EventType.RESOURCE_REMOVED)
    uow.journal.put(replace(row, state=EntryState.GONE))


def _audited(uow: ProvisioningUnitOfWork, clock: Clock, run: RunRow, row: EntryRow, type: EventType) -> None:
    if not row.kind:
        return
    details = {
        "component": "provisioning",
        "provision_id": run.run_id,
        "action": row.action,
        "spec_hash": row.spec_sha256,
        **({"cloud_id": row.resource_id} if row.resource_id else {}),
    }
    uow.audit.append(make_event(ITSELF, type, clock, "handover", row.kind, row.key, details))
