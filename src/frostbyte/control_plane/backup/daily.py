"""Begins tenants' backups when they are due, a few at a time, and tells how old each tenant's last good one is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

import structlog

from frostbyte.control_plane.backup.schedule import History, due
from frostbyte.control_plane.provisioning.ports import ProvisioningFactory
from frostbyte.control_plane.registry.ports import RegistryUnitOfWork
from frostbyte.control_plane.registry.records import DUTIES, OperationKind, OperationRow, OperationStatus, TenantRow
from frostbyte.control_plane.registry.states import TenantState
from frostbyte.control_plane.watch.view import BackupAge
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import FrostbyteError

LOOK_SECONDS: Final = 60.0
AT_ONCE: Final = 3
"""Backups that run at the same time; duties of other kinds have room beside them (upkeep.foreman)."""
REMEMBERED: Final = timedelta(days=62)
"""Operations that are looked at: twice the longest time between two backups."""
ACTOR: Final = "schedule"
REASON: Final = "scheduled"
_STANDS: Final = (TenantState.ACTIVE, TenantState.SUSPENDED)
_PAGE: Final = 1000
_log = structlog.get_logger("frostbyte.backup")

Begin = Callable[[str], object]
"""Begins a tenant's backup. Raises FrostbyteError."""


class Daily:
    """See the module.

    Args:
        unit_of_work: of register and journal.
        environment: whose tenants.
        begin: begins one; None where tenants are not backed up.
        hours: between two; 0 for none by themselves.
    """

    def __init__(
        self, unit_of_work: ProvisioningFactory, environment: str, clock: Clock, begin: Begin | None, hours: int
    ) -> None:
        self._unit_of_work, self._environment, self._clock = unit_of_work, environment, clock
        self._begin, self._hours = begin, hours
        self._refused: dict[str, tuple[datetime, int]] = {}
        """Tenants whose backup could not even be begun: when, and how often."""

    def run(self, stop: threading.Event) -> None:
        """Look again and again, until the event is set."""
        while not stop.wait(LOOK_SECONDS):
            self.turn()

    def turn(self) -> list[str]:
        """Begin what is due; the tenants whose backup was begun."""
        begun: list[str] = []
        if self._begin is None or not self._hours:
            return begun
        try:
            histories = self.histories()
            wanted = due(histories, self._clock.now(), self._hours)
            room = AT_ONCE - self._running()
        except FrostbyteError as error:  # the registry is away
            _log.warning("backups_wait", code=error.code)
            return begun
        for tenant_id in wanted:
            if len(begun) >= room:
                break
            try:
                self._begin(tenant_id)
            except FrostbyteError as error:  # its hosts are being made or changed, or are none of ours
                count = self._refused.get(tenant_id, (None, 0))[1] + 1
                self._refused[tenant_id] = (self._clock.now(), count)
                _log.info("backup_not_begun", tenant=tenant_id, code=error.code)
            else:
                self._refused.pop(tenant_id, None)
                begun.append(tenant_id)
        return begun

    def ages(self) -> Mapping[str, BackupAge]:
        """Of those that are backed up by themselves. Raises Unavailable("database_unavailable")."""
        if self._begin is None or not self._hours:
            return {}
        now = self._clock.now()
        return {
            one.tenant_id: BackupAge(
                seconds=(now - (one.good_at or one.since)).total_seconds(),
                period_seconds=self.period_seconds,
                good=one.good_at is not None,
            )
            for one in self.histories()
        }

    @property
    def period_seconds(self) -> float:
        """Between two backups of a tenant; 0 where they come by themselves no more."""
        return self._hours * 3600.0 if self._begin is not None else 0.0

    def histories(self) -> list[History]:
        """What is known of every tenant that stands on hosts of ours, by name."""
        with self._unit_of_work() as uow:
            rows = uow.operations.of(OperationKind.BACKUP, self._clock.now() - REMEMBERED)
            ours = {row.tenant_id for row in uow.journal.owned(self._environment)}
            busy = {row.tenant_id for row in uow.operations.running() if row.kind in DUTIES}
            tenants = [row for row in _tenants(uow) if row.tenant_id in ours]
        by_tenant: dict[str, list[OperationRow]] = {}
        for row in rows:
            by_tenant.setdefault(row.tenant_id, []).append(row)
        return [self._history(row, by_tenant.get(row.tenant_id, []), row.tenant_id in busy) for row in tenants]

    def _history(self, tenant: TenantRow, rows: list[OperationRow], running: bool) -> History:
        good = max((row.started_at for row in rows if row.status is OperationStatus.SUCCEEDED), default=None)
        since = [row for row in rows if good is None or row.started_at > good]
        failures = [row.ended_at for row in since if row.status is OperationStatus.FAILED and row.ended_at is not None]
        refused_at, refused = self._refused.get(tenant.tenant_id, (None, 0))
        moments = [*failures, *([refused_at] if refused_at is not None else [])]
        return History(
            tenant_id=tenant.tenant_id,
            since=tenant.created_at,
            good_at=good,
            failed=len(failures) + refused,
            failed_at=max(moments, default=None),
            running=running,
        )

    def _running(self) -> int:
        with self._unit_of_work() as uow:
            return sum(row.kind is OperationKind.BACKUP for row in uow.operations.running())


def _tenants(uow: RegistryUnitOfWork) -> list[TenantRow]:
    found: list[TenantRow] = []
    for state in _STANDS:
        after = ""
        while page := uow.tenants.page(state=state, after=after, limit=_PAGE):
            found += page
            after = page[-1].tenant_id
    return sorted(found, key=lambda row: row.tenant_id)
