"""What the pusher knows: the registry's rows of every plane, and how asking them went.

It is filled from the registry and goes on without it: leases are renewed while PostgreSQL restarts. The control plane
is one process, and whoever changes a tenant tells the roster, so what it holds is what the registry says.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field

from frostbyte.control_plane.killswitch.answers import NONCES
from frostbyte.control_plane.killswitch.orders import Gate, acknowledged, gate, order
from frostbyte.control_plane.killswitch.pace import Pace
from frostbyte.control_plane.registry.records import EndpointsRow, StandingRow, TenantRow


@dataclass(kw_only=True)
class Entry:
    """One tenant."""

    tenant: TenantRow
    endpoints: EndpointsRow | None
    standing: StandingRow
    """The newest that is known; perhaps not yet stored."""
    pace: Pace = field(default_factory=Pace)
    nonces: deque[str] = field(default_factory=lambda: deque(maxlen=NONCES))
    busy: bool = False
    """An exchange is under way."""

    @property
    def told(self) -> bool:
        """Whether its plane is told anything at all."""
        return self.endpoints is not None and order(self.tenant) is not None

    @property
    def acknowledged(self) -> bool:
        """Whether its plane has acknowledged what the registry says."""
        return acknowledged(self.tenant, self.standing)

    @property
    def gate(self) -> Gate:
        """What the edge must do, as far as is stored."""
        return gate(self.tenant, self.standing)


class Roster:
    """Entries by tenant; every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._entries: dict[str, Entry] = {}

    def learn(self, tenant: TenantRow, endpoints: EndpointsRow | None, standing: StandingRow | None) -> Entry:
        """Take over what the registry says, unless something newer is known already."""
        fresh = standing or StandingRow(
            tenant_id=tenant.tenant_id, acknowledged_version=0, acknowledged_at=None, code=""
        )
        with self._lock:
            known = self._entries.get(tenant.tenant_id)
            if known is None:
                # After a restart a plane that knows its orders is due, not urgent; one that did not answer is suspect.
                pace = Pace(tried_version=fresh.acknowledged_version, failures=int(bool(fresh.code)))
                known = Entry(tenant=tenant, endpoints=endpoints, standing=fresh, pace=pace)
                self._entries[tenant.tenant_id] = known
                return known
            if tenant.version >= known.tenant.version:
                known.tenant, known.endpoints = tenant, endpoints
            return known

    def note(self, tenant_id: str, standing: StandingRow) -> None:
        """What a plane has acknowledged."""
        with self._lock:
            self._entries[tenant_id].standing = standing

    def get(self, tenant_id: str) -> Entry | None:
        """One entry."""
        return self._entries.get(tenant_id)

    def all(self) -> list[Entry]:
        """Every entry."""
        with self._lock:
            return list(self._entries.values())
