"""The ledger's wiring: which planes it follows, by which channels, with which key it cosigns."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from frostbyte.adapters.ledger.postgres import PostgresLedger
from frostbyte.control_plane.channel import PlaneChannel
from frostbyte.control_plane.ledger.export import LedgerExporter
from frostbyte.control_plane.ledger.follow import ALERTS, Follower, Standing
from frostbyte.control_plane.ledger.importing import Importer
from frostbyte.control_plane.ledger.keeping import Keeping
from frostbyte.control_plane.ledger.ports import LedgerStore
from frostbyte.control_plane.ledger.pull import Followed, Puller, Source
from frostbyte.control_plane.registry.changes import found
from frostbyte.control_plane.registry.ports import RegistryFactory
from frostbyte.control_plane.registry.records import EndpointsRow
from frostbyte.control_plane.registry.states import TenantState
from frostbyte.control_plane.watch.view import Lag
from frostbyte.kernel.audit.checkpoint import Cosigner
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import NotFound
from frostbyte.kernel.records import EventRow

FOLLOWED: Final = (TenantState.ACTIVE, TenantState.SUSPENDED, TenantState.DEPROVISIONING)
"""Whose logs are pulled: a suspended plane's too, and one that is being closed up to its last event."""

_PAGE: Final = 1000


class Ledger:
    """The ledger's parts together.

    Args:
        store: the ledger's store.
        registry: says which tenants there are and how their planes are reached.
        channels: the ways to planes.
        cosigner: the ledger's key as a witness.
        clock: the control plane's.
    """

    def __init__(
        self,
        store: LedgerStore,
        registry: RegistryFactory,
        channels: Callable[[EndpointsRow], PlaneChannel],
        cosigner: Cosigner,
        clock: Clock,
    ) -> None:
        self._registry, self._channels, self._clock = registry, channels, clock
        self.store, self.witness_key = store, str(cosigner.public_key)
        self.keeping = Keeping(store, cosigner, clock)
        self.exporter = LedgerExporter(store, clock)
        puller = Puller(self.keeping)
        self.importer = Importer(self.keeping, puller)
        self.follower = Follower(store, self.keeping, puller, self._planes, self._source, clock)

    @property
    def loops(self) -> dict[str, Callable[[threading.Event], None]]:
        """What runs all the time, by name."""
        return {"ledger": self.follower.run}

    def close(self) -> None:
        """Let go of the store, where it has connections."""
        if isinstance(self.store, PostgresLedger):
            self.store.close()

    def known(self, tenant_id: str) -> None:
        """Raises NotFound("tenant_not_found") for a tenant that the registry never had."""
        with self._registry() as uow:
            found(uow, tenant_id)

    def last_pull(self, tenant_id: str) -> bool:
        """Pull a tenant's log to its end; whether nothing more can be had of it.

        A log that is stopped by a finding is at its end too: the ledger takes no more of it, and the alert stays.

        Raises:
            FrostbyteError: the store's.
        """
        pulled = self.follower.pull_now(tenant_id)
        if pulled is None:
            return False
        return pulled.finding is not None or (pulled.heard and not pulled.code and pulled.size >= pulled.plane_size)

    def lags(self) -> dict[str, Lag]:
        """How far the ledger is behind, by tenant."""
        now = self._clock.now()
        return {item.plane.tenant_id: lag(item, now) for item in self.follower.standings()}

    def findings(self) -> dict[str, tuple[str, ...]]:
        """Codes of open alerts, by tenant: `ledger_` and the finding. Raises Unavailable("database_unavailable")."""
        with self.store.unit_of_work() as uow:
            alerts = uow.alerts(open_only=True, limit=ALERTS)
        codes: dict[str, tuple[str, ...]] = {}
        for alert in alerts:
            codes[alert.row.tenant_id] = (*codes.get(alert.row.tenant_id, ()), f"ledger_{alert.row.finding.value}")
        return codes

    def newest(
        self, tenant_id: str, types: Sequence[str], since: datetime | None, before: datetime, limit: int
    ) -> list[EventRow]:
        """The newest events of these types that the tenant's logs hold: see history.telling.PlaneEvents."""
        with self.store.unit_of_work() as uow:
            logs = [row.log_id for row in uow.logs(tenant_id)]
            found = uow.newest(logs, types, since=since, before=before, limit=limit)
        return [msgspec.json.decode(entry.event, type=EventRow) for entry in found]

    def _planes(self) -> list[Followed]:
        planes: list[Followed] = []
        with self._registry() as uow:
            for state in FOLLOWED:
                after = ""
                while page := uow.tenants.page(state=state, after=after, limit=_PAGE):
                    after = page[-1].tenant_id
                    endpoints = uow.endpoints.get_many([row.tenant_id for row in page])
                    planes += [
                        Followed(tenant_id=name, log_key=row.log_key, active=state is TenantState.ACTIVE)
                        for name, row in endpoints.items()
                    ]
        return planes

    def _source(self, tenant_id: str) -> Source:
        with self._registry() as uow:
            endpoints = uow.endpoints.get(tenant_id)
            if endpoints is None:  # it was attached when it was listed, and endpoints are never removed
                raise NotFound("tenant_not_found", "There is no such tenant.", "Check the id; `tenant list` shows all.")
        return self._channels(endpoints)


def lag(standing: Standing, now: datetime) -> Lag:
    """How far the ledger is behind a plane."""
    current = standing.row.current_at
    return Lag(
        seconds=None if current is None else max(0.0, (now - current).total_seconds()),
        events=max(0, standing.row.plane_size - standing.size) if standing.row.heard_at else None,
    )
