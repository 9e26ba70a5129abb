"""What each operation does, in order. Pure: what was done is read from the registry, so a restart goes on where it was.

A step may be done twice (the process died before it was noted), so each brings about a state and never changes one. The
end of an operation moves its tenant on (registry.operations); the edge follows that by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Final

from frostbyte.control_plane.registry.records import OperationKind


class Step(StrEnum):
    """One thing that an operation does."""

    REGISTRY_COMMITTED = "registry_committed"
    """The decision and its audit event: there before the operation is."""
    HOSTS_READY = "hosts_ready"
    """The tenant's hosts were made, and its plane runs on them. Of a plane attached by hand there is no such step."""
    EDGE_CLOSED = "edge_closed"
    EDGE_PREPARED = "edge_prepared"
    """Its route is there and answers 503 until the tenant is ACTIVE."""
    EDGE_OPENED = "edge_opened"
    PLANE_ANSWERED = "plane_answered"
    """The control channel answers over mTLS."""
    PLANE_RECOGNISED = "plane_recognised"
    """It is this tenant's, and its log key is the one given."""
    PLANE_ACKNOWLEDGED = "plane_acknowledged"
    PLANE_CLOSED = "plane_closed"
    LEDGER_PULLED = "ledger_pulled"
    """Every event that the closed plane has signed is in the ledger."""
    RESOURCES_GONE = "resources_gone"
    """What was made for the tenant was seen to be gone, and a receipt says so. Attached by hand: no such step."""


SEQUENCES: Final[Mapping[OperationKind, tuple[Step, ...]]] = {
    # Shut what leads to the plane first: that works also if its host is dead.
    OperationKind.SUSPEND: (Step.REGISTRY_COMMITTED, Step.EDGE_CLOSED, Step.PLANE_ACKNOWLEDGED),
    # Open it last: an edge that is open before its plane knows leads people to a plane that refuses them, and one whose
    # host came back as somebody else's, or from an old copy, would answer before it was recognised.
    OperationKind.RESUME: (Step.REGISTRY_COMMITTED, Step.PLANE_ACKNOWLEDGED, Step.EDGE_OPENED),
    OperationKind.PROVISION: (
        Step.REGISTRY_COMMITTED,
        Step.HOSTS_READY,
        Step.PLANE_ANSWERED,
        Step.PLANE_RECOGNISED,
        Step.PLANE_ACKNOWLEDGED,
        Step.EDGE_PREPARED,
    ),
    OperationKind.DEPROVISION: (
        Step.REGISTRY_COMMITTED,
        Step.EDGE_CLOSED,
        Step.PLANE_CLOSED,
        Step.LEDGER_PULLED,
        Step.RESOURCES_GONE,
    ),
}
OURS: Final = frozenset({Step.HOSTS_READY, Step.RESOURCES_GONE})
"""Steps about hosts that we make and take away ourselves. They wait as long as that goes on: it ends by itself."""

PATIENCE_SECONDS: Final[Mapping[OperationKind, float]] = {
    OperationKind.PROVISION: 30.0,
    OperationKind.DEPROVISION: 120.0,
}
"""How long an operation waits for a plane before it fails. Those that are missing wait for ever: a tenant is suspended
by the registry and the edge, and that its plane is dead changes nothing about it."""
HOST_GONE: Final = "host_gone"
"""The reason by which an operator declares that a plane is no more: it is not asked to close, its log not pulled."""


def next_step(kind: OperationKind, done: Collection[str], *, managed: bool) -> Step | None:
    """What comes next; None if all is done.

    Args:
        kind: of the operation.
        done: its steps that are.
        managed: whether the tenant's hosts are made and taken away by us.
    """
    return next((step for step in SEQUENCES[kind] if step not in done and (managed or step not in OURS)), None)
