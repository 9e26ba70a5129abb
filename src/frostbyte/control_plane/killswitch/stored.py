"""Acknowledgements and alarms, as the registry keeps them."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from typing import Final

import structlog

from frostbyte.control_plane.registry.ports import RegistryFactory
from frostbyte.control_plane.registry.records import AlarmRow, StandingRow, TenantRow
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.directive import DirectedConfig
from frostbyte.kernel.ids import new_id

LONGEST: Final = 200
"""Characters of what a plane said that are kept: it may say anything."""
_log = structlog.get_logger("frostbyte.alarms")


class StoredStandings:
    """See killswitch.ports.Standings."""

    def __init__(self, unit_of_work: RegistryFactory) -> None:
        self._unit_of_work = unit_of_work

    def put(self, rows: Sequence[StandingRow]) -> Collection[str]:
        with self._unit_of_work() as uow:
            before = uow.standings.get_many([row.tenant_id for row in rows])
            for row in rows:
                uow.standings.put(row)
            uow.commit()
        return {
            row.tenant_id
            for row in rows
            if (old := before.get(row.tenant_id)) is None or old.acknowledged_version != row.acknowledged_version
        }


class StoredConfigs:
    """Reads what a plane is told of its tenant's configuration."""

    def __init__(self, unit_of_work: RegistryFactory) -> None:
        self._unit_of_work = unit_of_work

    def __call__(self, tenant: TenantRow) -> DirectedConfig:
        """The newest. Raises `database_unavailable`."""
        with self._unit_of_work() as uow:
            row = uow.configs.get(tenant.tenant_id, tenant.config_version)
        assert row is not None  # added with the tenant's row, never removed
        return DirectedConfig(version=row.version, values=row.values)


class StoredAlarms:
    """See killswitch.ports.Alarms. What rings is known in memory too, so that settling mostly asks nobody."""

    def __init__(self, unit_of_work: RegistryFactory, clock: Clock) -> None:
        self._unit_of_work, self._clock = unit_of_work, clock
        self._lock = threading.Lock()
        self._ringing: set[tuple[str, str]] | None = None

    def ring(self, tenant_id: str, code: str, *, expected: str, came: str) -> None:
        with self._lock:
            if (tenant_id, code) in self._known():
                return
            row = AlarmRow(
                alarm_id=new_id(),
                tenant_id=tenant_id,
                code=code,
                expected=_shown(expected),
                came=_shown(came),
                rung_at=self._clock.now(),
            )
            with self._unit_of_work() as uow:
                uow.alarms.ring(row)
                uow.commit()
            self._known().add((tenant_id, code))
        _log.error("alarm", tenant=tenant_id, code=code)

    def settle(self, tenant_id: str, codes: Collection[str]) -> None:
        with self._lock:
            over = {(tenant_id, code) for code in codes} & self._known()
            if not over:
                return
            with self._unit_of_work() as uow:
                for _, code in over:
                    uow.alarms.settle(tenant_id, code, self._clock.now())
                uow.commit()
            self._known().difference_update(over)

    def ringing(self) -> dict[str, tuple[str, ...]]:
        """The codes that ring, by tenant."""
        with self._lock:
            found: dict[str, tuple[str, ...]] = {}
            for tenant_id, code in sorted(self._known()):
                found[tenant_id] = (*found.get(tenant_id, ()), code)
            return found

    def _known(self) -> set[tuple[str, str]]:
        if self._ringing is None:
            with self._unit_of_work() as uow:
                self._ringing = {(row.tenant_id, row.code) for row in uow.alarms.ringing()}
        return self._ringing


def _shown(text: str) -> str:
    """As much of it as is kept, in characters that hurt nobody who reads them."""
    return "".join(sign if sign.isascii() and sign.isprintable() else "?" for sign in text[:LONGEST])
