"""How the plane stands with its control plane, in memory."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from frostbyte.adapters.memory.tables import Table, Transaction
from frostbyte.kernel.ports.unit_of_work import frozen
from frostbyte.kernel.records import PlaneStandingRow, PlaneState, Upkeep


class MemoryStanding:
    """See kernel.ports.unit_of_work.Standing. The caller's `now` is its clock."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._rows: Table[int, PlaneStandingRow] = Table(transaction, "plane_standing", lambda row: 0)

    def get(self, *, lock: bool = False) -> PlaneStandingRow:
        if lock:
            self._transaction.lock("plane_standing", 0)
        return self._rows.get(0) or PlaneStandingRow()

    def put(self, row: PlaneStandingRow) -> None:
        held = self.get(lock=True)
        self._rows.put(replace(row, lease_from=held.lease_from, lease_until=held.lease_until, upkeep=held.upkeep))

    def keep(self, upkeep: Upkeep) -> None:
        held = self.get(lock=True)
        self._transaction.lock("upkeep", 0)
        self._rows.put(replace(held, upkeep=upkeep))

    def write_down(self) -> None:
        """Keep the upkeep from changing until the transaction ends. Raises Unavailable: `plane_updating`."""
        self._transaction.share("upkeep", 0)
        if self.get().upkeep is Upkeep.FROZEN:
            raise frozen()

    def grant(self, now: datetime, seconds: float) -> None:
        held = self.get(lock=True)
        until = now + timedelta(seconds=seconds)
        self._rows.put(replace(held, lease_from=now, lease_until=until) if seconds > 0 else _ended(held))

    def lease_left(self, now: datetime) -> float:
        row = self.get()
        if row.lease_from is None or row.lease_until is None or now < row.lease_from:
            return 0.0
        return max(0.0, (row.lease_until - now).total_seconds())

    def allows(self, now: datetime) -> bool:
        """Whether a job may be begun; keeps the standing from changing until the transaction ends."""
        self._transaction.share("plane_standing", 0)
        row = self.get()
        free = row.state is PlaneState.ACTIVE and row.upkeep is Upkeep.OPEN
        return free and (not row.needs_lease or self.lease_left(now) > 0)


def _ended(row: PlaneStandingRow) -> PlaneStandingRow:
    return replace(row, lease_from=None, lease_until=None)
