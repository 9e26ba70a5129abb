"""What a directive of the control plane does to a plane, and what a plane's standing forbids. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from frostbyte.kernel.audit.events import EventType
from frostbyte.kernel.channel import tenant_held
from frostbyte.kernel.directive import Directive, NonceOld
from frostbyte.kernel.errors import Conflict, Unavailable
from frostbyte.kernel.ports.unit_of_work import frozen
from frostbyte.kernel.records import PlaneStandingRow, PlaneState, Upkeep


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a directive comes to."""

    row: PlaneStandingRow
    event: EventType | None
    """What the log says of it; None where the state stays."""


def obeyed(row: PlaneStandingRow, directive: Directive, newest_nonce: str, now: datetime, *, holds: int = 0) -> Change:
    """The standing after a directive whose signature and tenant were checked.

    A version that is lower than the last is refused before its nonce is looked at: who sends it has to learn that
    signing it again is of no use.

    Args:
        row: as it is, locked by the caller.
        newest_nonce: the last that was given out.
        now: when the state changes.
        holds: legal holds that are in force; nobody places one until the caller's transaction ends.

    Raises:
        Conflict: `directive_stale`, `plane_closed`; `tenant_held`: it would be closed for good.
        NonceOld: `directive_nonce`.
    """
    if directive.version < row.version:
        raise Conflict(
            "directive_stale",
            f"The plane has acted on version {row.version}, and this directive is version {directive.version}.",
            "A control plane that was restored from a backup has to go on above the plane's version.",
        )
    if directive.version == row.version and directive.state is not row.state:
        raise Conflict(
            "directive_stale",
            f"The plane has acted on another directive of version {row.version}.",
            "Two control planes may be at work; leave one, and have it change the tenant's state again.",
        )
    if row.state is PlaneState.CLOSED and directive.state is not PlaneState.CLOSED:
        raise Conflict(
            "plane_closed", "The plane was closed for good.", "Provision another plane for the tenant's next life."
        )
    if holds and directive.state is PlaneState.CLOSED is not row.state:
        raise tenant_held(holds)
    if directive.nonce != newest_nonce:
        raise NonceOld(newest_nonce)
    changed = directive.state is not row.state
    event = None
    if changed:
        event = EventType.TENANT_RESUMED if directive.state is PlaneState.ACTIVE else EventType.TENANT_SUSPENDED
    return Change(
        row=replace(
            row,
            version=directive.version,
            state=directive.state,
            keys=directive.keys or row.keys,
            witness_key=directive.witness_key,
            changed_at=now if changed else row.changed_at,
        ),
        event=event,
    )


def refusal(state: PlaneState, upkeep: Upkeep = Upkeep.OPEN, *, writing: bool = False) -> Unavailable | None:
    """What whoever asks a plane in that state is answered; None where it is answered.

    Args:
        writing: whether what is asked for takes, decides or begins something.
    """
    if state is PlaneState.ACTIVE:
        return frozen() if upkeep is Upkeep.FROZEN or (writing and upkeep is not Upkeep.OPEN) else None
    if state is PlaneState.CLOSED:
        return Unavailable(
            "tenant_suspended",
            "This plane was closed: its tenant is being removed.",
            "Ask the operator of the control plane.",
        )
    return Unavailable(
        "tenant_suspended",
        "This tenant is suspended: nothing is taken, answered or worked on, and nothing is lost.",
        "Ask the operator of the control plane; what waits goes on by itself when the tenant is resumed.",
    )


def waits(row: PlaneStandingRow, lease_left: float) -> Unavailable | None:
    """Why no job is begun; None while jobs are.

    Args:
        lease_left: seconds that the lease still holds.
    """
    refused = refusal(row.state, row.upkeep, writing=True)
    if refused is not None:
        return refused
    if row.needs_lease and lease_left <= 0:
        return Unavailable(
            "control_plane_unreachable",
            "The control plane has not renewed this plane's lease, so no work is begun; uploads and questions go on.",
            "It goes on by itself once the control plane reaches this plane again: see docs/runbooks/work.md.",
        )
    return None
