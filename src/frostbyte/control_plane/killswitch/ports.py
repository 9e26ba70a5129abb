"""What the kill-switch asks of the world around it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from frostbyte.control_plane.channel import PlaneChannel
from frostbyte.control_plane.killswitch.orders import Gate
from frostbyte.control_plane.registry.ports import Progress
from frostbyte.control_plane.registry.records import EndpointsRow, OperationRow, StandingRow, TenantRow
from frostbyte.kernel.directive import DirectedConfig
from frostbyte.kernel.records import PlaneState


class Edge(Protocol):
    """The edge's files, one a tenant. All methods raise Unavailable("edge_unwritable")."""

    def show(self, tenant: TenantRow, endpoints: EndpointsRow | None, gate: Gate) -> bool:
        """See that the tenant's file says this, durably; whether it had to be changed. Milliseconds, and no network."""
        ...

    def drop(self, tenant_id: str) -> None:
        """Remove a file; one that is not there is no trouble."""
        ...

    def names(self) -> frozenset[str]:
        """The tenants that have a file."""
        ...


class Alarms(Protocol):
    """Named alerts with their evidence. Ringing one that rings already changes nothing."""

    def ring(self, tenant_id: str, code: str, *, expected: str, came: str) -> None:
        """Something is wrong, and this shows it."""
        ...

    def settle(self, tenant_id: str, codes: Collection[str]) -> None:
        """These are not so any more, if they were. Costs nothing where none rings."""
        ...


class Sign(Protocol):
    """The control plane's signature under what a plane is told."""

    def __call__(self, tenant: TenantRow, order: PlaneState, nonce: str, config: DirectedConfig | None = None) -> str:
        """The signed directive that answers the plane's nonce, with a configuration if the plane has an older one."""
        ...


Channels = Callable[[EndpointsRow], PlaneChannel]
"""The channel to a tenant's plane; the same object as long as its endpoints are the same."""


class Standings(Protocol):
    """Where it is stored what planes acknowledged."""

    def put(self, rows: Sequence[StandingRow]) -> Collection[str]:
        """Store them together; the tenants whose acknowledged version was another before.

        A row never takes back a version that is stored, unless the plane itself went back.
        """
        ...


class HostsOf(Protocol):
    """What makes tenants' hosts and takes them away (provisioning)."""

    def progress(self, operation: OperationRow) -> tuple[Progress, str]:
        """Where the operation's work on hosts stands, with the code of what went wrong or ''."""
        ...

    def turn_back(self, operation: OperationRow, code: str) -> None:
        """Have everything taken away that the operation had made: what is there cannot be taken into service."""
        ...

    def take_away(self, operation: OperationRow) -> bool:
        """From now on the tenant's hosts may go; whether all is gone and the receipt for it written.

        Raises:
            FrostbyteError: whatever keeps the receipt from being written; it is asked again.
        """
        ...

    def gone(self, tenant: TenantRow) -> bool:
        """Whether the tenant had hosts of ours and has none any more: nobody is there to be asked anything."""
        ...
