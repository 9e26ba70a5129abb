"""Duties for many tenants, in PostgreSQL and in this process."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from frostbyte.adapters.memory import tables
from frostbyte.adapters.postgres.mapping import Repository, Table
from frostbyte.control_plane.registry.records import OperationStatus, RoundRow
from frostbyte.kernel.errors import Conflict

_ROUNDS: Final = Table("rounds", RoundRow, "round_id")


def running(row: RoundRow) -> Conflict:
    """The error of whoever begins one while another runs."""
    return Conflict(
        "round_running",
        f"A {row.kind.value} of {len(row.tenants)} tenants is under way, begun by {row.actor}.",
        "Wait until it has ended, or stop it: frostbyte deliver stop.",
    )


class PostgresRounds(Repository):
    """See control_plane.registry.ports.Rounds."""

    def add(self, row: RoundRow) -> None:
        clash = " ON CONFLICT ((true)) WHERE status = 'running' DO NOTHING"
        if not self._run(_ROUNDS.insert + clash, _ROUNDS.encode(row)):
            other = self.running()
            assert other is not None
            raise running(other)

    def end(self, row: RoundRow) -> None:
        self._run(
            "UPDATE rounds SET status = %s, ended_at = %s, code = %s, stopped_at = %s "
            "WHERE round_id = %s AND status = 'running'",
            [row.status.value, row.ended_at, row.code, row.stopped_at, row.round_id],
        )

    def get(self, round_id: UUID) -> RoundRow | None:
        record = self._one(_ROUNDS.select + "WHERE round_id = %s", [round_id])
        return _ROUNDS.decode(record) if record else None

    def running(self) -> RoundRow | None:
        record = self._one(_ROUNDS.select + "WHERE status = 'running'")
        return _ROUNDS.decode(record) if record else None

    def page(self, *, before: UUID | None = None, limit: int = 100) -> list[RoundRow]:
        where = "WHERE %s::uuid IS NULL OR round_id < %s ORDER BY round_id DESC LIMIT %s"
        return [_ROUNDS.decode(record) for record in self._all(_ROUNDS.select + where, [before, before, limit])]


class MemoryRounds:
    """See control_plane.registry.ports.Rounds."""

    def __init__(self, transaction: tables.Transaction) -> None:
        self._transaction = transaction
        self._rows: tables.Table[UUID, RoundRow] = tables.Table(transaction, "rounds", lambda row: row.round_id)

    def add(self, row: RoundRow) -> None:
        self._transaction.lock("rounds", 0)
        other = self.running()
        if other is not None:
            raise running(other)
        self._rows.insert(row)

    def end(self, row: RoundRow) -> None:
        held = self.get(row.round_id)
        if held is not None and held.status is OperationStatus.RUNNING:
            self._rows.put(row)

    def get(self, round_id: UUID) -> RoundRow | None:
        return self._rows.get(round_id)

    def running(self) -> RoundRow | None:
        return next((row for row in self._rows.rows() if row.status is OperationStatus.RUNNING), None)

    def page(self, *, before: UUID | None = None, limit: int = 100) -> list[RoundRow]:
        fitting = (row for row in self._rows.rows() if before is None or row.round_id < before)
        return sorted(fitting, key=lambda row: row.round_id, reverse=True)[:limit]
