"""Rebuilds of the index in PostgreSQL."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from frostbyte.adapters.postgres.documents import DOCUMENTS
from frostbyte.adapters.postgres.mapping import Repository, Table
from frostbyte.kernel.records import DocumentRow, RebuildCounts, RebuildRow

REBUILDS: Final = Table("rebuilds", RebuildRow, "rebuild_id")

_PENDING: Final = DOCUMENTS.select + (  # noqa: S608  # constants only
    "WHERE active_generation <> '' AND state IN ('indexed', 'failed') "
    "AND rebuild IS DISTINCT FROM %s ORDER BY received_at DESC, doc_id LIMIT %s"
)

_LOCK: Final = "7263, 1"
"""Two numbers, so that it meets no content's lock, which has one."""


class PostgresRebuilds(Repository):
    """See kernel.ports.unit_of_work.Rebuilds."""

    def put(self, row: RebuildRow) -> None:
        self._run(f"SELECT pg_advisory_xact_lock({_LOCK})")
        self._run(REBUILDS.upsert, REBUILDS.encode(row))

    def latest(self) -> RebuildRow | None:
        record = self._one(REBUILDS.select + "ORDER BY started_at DESC, rebuild_id DESC LIMIT 1")
        return REBUILDS.decode(record) if record else None

    def beside(self) -> int:
        record = self._one("SELECT count(*) FROM rebuilds WHERE collection <> ''")
        assert record is not None  # an aggregate has a row
        return int(record[0])

    def serving(self) -> str:
        record = self._one(
            "SELECT collection FROM rebuilds WHERE collection <> '' AND finished_at IS NOT NULL "
            "ORDER BY finished_at DESC LIMIT 1"
        )
        return str(record[0]) if record else ""

    def collections(self, *, hold: bool = False) -> tuple[str, str]:
        if hold:  # first, so that what is read below is of after the wait
            self._run(f"SELECT pg_advisory_xact_lock_shared({_LOCK})")
        record = self._one(
            "SELECT coalesce((SELECT collection FROM rebuilds WHERE collection <> '' AND finished_at IS NOT NULL "
            "ORDER BY finished_at DESC LIMIT 1), ''), "
            "coalesce((SELECT collection FROM rebuilds WHERE finished_at IS NULL), '')"
        )
        assert record is not None  # it has no FROM
        return str(record[0]), str(record[1])

    def counts(self, rebuild_id: UUID, since: datetime) -> RebuildCounts:
        record = self._one(
            "SELECT count(*) FILTER (WHERE NOT own AND active_generation <> ''), "
            "count(*) FILTER (WHERE own AND state IN ('received', 'waiting')), "
            "count(*) FILTER (WHERE own AND state IN ('indexed', 'quarantined')), "
            "count(*) FILTER (WHERE own AND state = 'failed'), "
            "count(*) FILTER (WHERE own AND state IN ('indexed', 'quarantined', 'failed') AND finished_at >= %s) "
            "FROM (SELECT state, active_generation, finished_at, coalesce(rebuild = %s, false) AS own "
            "FROM documents WHERE state <> 'erased') AS touched",
            [since, rebuild_id],
        )
        assert record is not None  # an aggregate has a row
        pending, running, done, failed, recent = map(int, record)
        return RebuildCounts(pending=pending, running=running, done=done, failed=failed, recent=recent)

    def pending(self, rebuild_id: UUID, limit: int) -> list[DocumentRow]:
        records = self._all(_PENDING, [rebuild_id, limit])
        return [DOCUMENTS.decode(record) for record in records]

    def switch(self) -> int:
        return self._run(
            "UPDATE documents SET active_generation = generation "
            "WHERE state = 'indexed' AND active_generation <> '' AND active_generation <> generation"
        )

    def forget_replaced(self, limit: int) -> int:
        return self._run(
            "DELETE FROM chunks WHERE chunk_id IN (SELECT chunk_id FROM chunks JOIN documents USING (doc_id) "
            "WHERE state IN ('indexed', 'failed') AND documents.active_generation <> '' "
            "AND chunks.generation NOT IN (documents.active_generation, documents.generation) LIMIT %s)",
            [limit],
        )
