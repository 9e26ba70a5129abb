"""What the ledger needs of its store."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec

from frostbyte.control_plane.ledger.records import (
    Alert,
    AlertRow,
    EndingRow,
    Entry,
    LogRow,
    StandingRow,
    StepRow,
)
from frostbyte.kernel.ports.unit_of_work import AuditLog


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """Which events are asked for; all that are given must fit."""

    log_ids: tuple[int, ...] = ()
    """Of these logs only; empty for all."""
    resource_id: str | None = None
    type: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it is kept."""

    log_id: int
    entry: Entry


class LedgerUnitOfWork(Protocol):
    """One transaction of the ledger. What was not committed at the end of the block is undone."""

    @property
    def audit(self) -> AuditLog:
        """The control plane's own audit."""
        ...

    def open_log(self, tenant_id: str, log_key: str, now: datetime) -> LogRow:
        """The log of that key; registered with the first call."""
        ...

    def logs(self, tenant_id: str | None = None) -> list[LogRow]:
        """All logs, or a tenant's, in the order in which they were registered."""
        ...

    def lock(self, log_id: int) -> None:
        """Keep others from adding to this log until the end of the transaction."""
        ...

    def last_step(self, log_id: int) -> StepRow | None:
        """How far the log is verified; None for not at all."""
        ...

    def step_below(self, log_id: int, size: int) -> StepRow | None:
        """The largest step of at most `size` events."""
        ...

    def steps(self, log_id: int, *, after_size: int, limit: int) -> list[StepRow]:
        """Steps of more than `after_size` events, by size."""
        ...

    def add_step(self, step: StepRow, entries: Sequence[Entry]) -> None:
        """Events and the state after them.

        Raises:
            Conflict: `row_exists` where the log is further already.
        """
        ...

    def events(self, query: Query, *, after: tuple[int, int] = (-1, -1), limit: int = 100) -> list[Kept]:
        """Events in the order of (log_id, sequence), from behind `after` on."""
        ...

    def newest(
        self,
        log_ids: Sequence[int],
        types: Sequence[str],
        *,
        since: datetime | None = None,
        before: datetime | None = None,
        limit: int = 100,
    ) -> list[Entry]:
        """The newest events of these types in these logs, newest first: from `since` on, and before `before`."""
        ...

    def of_resources(self, log_id: int, resource_ids: Sequence[str], before: int, *, limit: int) -> list[Entry]:
        """The newest events of these resources with numbers below `before`."""
        ...

    def range(self, log_id: int, start: int, end: int) -> list[Entry]:
        """The events [start, end) of a log, by number."""
        ...

    def raise_alert(self, row: AlertRow) -> None:
        """Add an alert."""
        ...

    def end_alert(self, row: EndingRow) -> bool:
        """Add its ending; False where it has ended already."""
        ...

    def alert(self, alert_id: UUID) -> Alert | None:
        """One alert."""
        ...

    def alerts(
        self, *, tenant_id: str | None = None, open_only: bool = False, after: UUID | None = None, limit: int = 100
    ) -> list[Alert]:
        """Alerts, the newest first, from behind `after` on."""
        ...

    def standings(self) -> list[StandingRow]:
        """How pulling goes, of all logs."""
        ...

    def put_standings(self, rows: Sequence[StandingRow]) -> None:
        """Overwrite."""
        ...

    def commit(self) -> None:
        """Make it durable. Afterwards this unit of work cannot be used."""
        ...


class LedgerStore(Protocol):
    """Opens transactions."""

    def unit_of_work(self) -> AbstractContextManager[LedgerUnitOfWork]:
        """One transaction."""
        ...
