"""Erasures, exports that were handed out, legal holds and runs of retention in PostgreSQL."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from frostbyte.adapters.postgres.documents import DOCUMENTS
from frostbyte.adapters.postgres.mapping import Repository, Session, Table
from frostbyte.kernel.records import (
    DocumentRow,
    ErasureRow,
    ExpiryTally,
    HandoutRow,
    HandoutTally,
    HoldRow,
    RetentionRunRow,
    TrustedTimeRow,
)

ERASURES: Final = Table("erasures", ErasureRow, "erasure_id")
HANDOUTS: Final = Table("handouts", HandoutRow, "export_id")
HOLDS: Final = Table("holds", HoldRow, "hold_id")
RUNS: Final = Table("retention_runs", RetentionRunRow, "run_id")
TRUSTED: Final = Table("trusted_time", TrustedTimeRow, "one")

_OLD: Final = "WHERE documents.state <> 'erased' AND documents.received_at < %s "
_HELD: Final = (
    "(EXISTS (SELECT FROM holds WHERE released_at IS NULL AND everything) "
    "OR doc_id IN (SELECT unnest(doc_ids) FROM holds WHERE released_at IS NULL))"
)
"""Both are looked up once a query and not once a document, unlike `is_held` of migrations/013."""


class PostgresErasures(Repository):
    """See kernel.ports.unit_of_work.Erasures."""

    def put(self, row: ErasureRow) -> None:
        self._run(ERASURES.upsert, ERASURES.encode(row))

    def of_document(self, doc_id: UUID) -> list[ErasureRow]:
        records = self._all(ERASURES.select + "WHERE doc_id = %s ORDER BY requested_at, erasure_id", [doc_id])
        return [ERASURES.decode(record) for record in records]

    def get(self, erasure_id: UUID) -> ErasureRow | None:
        record = self._one(ERASURES.select + "WHERE erasure_id = %s", [erasure_id])
        return ERASURES.decode(record) if record else None

    def unfinished(self) -> list[ErasureRow]:
        records = self._all(ERASURES.select + "WHERE vectors_gone_at IS NULL ORDER BY requested_at, erasure_id")
        return [ERASURES.decode(record) for record in records]

    def add_handout(self, row: HandoutRow) -> None:
        self._run(HANDOUTS.insert, HANDOUTS.encode(row))

    def handouts_of(self, doc_id: UUID) -> list[HandoutRow]:
        records = self._all(HANDOUTS.select + "WHERE doc_ids @> ARRAY[%s]::uuid[] ORDER BY created_at", [doc_id])
        return [HANDOUTS.decode(record) for record in records]

    def handed_out(self, kind: str, limit: int = 100) -> list[HandoutTally]:
        records = self._all(
            "SELECT export_id, created_at, actor, cardinality(doc_ids), (SELECT count(DISTINCT doc_id) FROM erasures "
            "WHERE requested_at >= handouts.created_at AND doc_id = ANY(doc_ids)) "
            "FROM handouts WHERE kind = %s ORDER BY created_at DESC, export_id DESC LIMIT %s",
            [kind, limit],
        )
        names = ("export_id", "created_at", "actor", "documents", "erased")
        return [HandoutTally(**dict(zip(names, record, strict=True))) for record in records]


class PostgresHolds(Repository):
    """See kernel.ports.keeping.Holds. What they forbid is in migrations/013."""

    def add(self, row: HoldRow) -> None:
        self._run(HOLDS.insert, HOLDS.encode(row))

    def release(self, hold_id: UUID, at: datetime, actor: str, reason: str) -> bool:
        changed = self._run(
            "UPDATE holds SET released_at = %s, released_by = %s, release_reason = %s "
            "WHERE hold_id = %s AND released_at IS NULL",
            [at, actor, reason, hold_id],
        )
        return changed == 1

    def get(self, hold_id: UUID) -> HoldRow | None:
        record = self._one(HOLDS.select + "WHERE hold_id = %s", [hold_id])
        return HOLDS.decode(record) if record else None

    def page(
        self, *, in_force: bool = False, doc_id: UUID | None = None, after: UUID | None = None, limit: int = 100
    ) -> list[HoldRow]:
        where, parameters = ["true"], list[Any]()
        if in_force:
            where.append("released_at IS NULL")
        if doc_id is not None:
            where.append("(everything OR doc_ids @> ARRAY[%s]::uuid[])")
            parameters.append(doc_id)
        if after is not None:
            where.append("hold_id > %s")
            parameters.append(after)
        query = HOLDS.select + "WHERE " + " AND ".join(where) + " ORDER BY hold_id LIMIT %s"
        return [HOLDS.decode(record) for record in self._all(query, [*parameters, limit])]

    def count(self) -> int:
        record = self._one("SELECT count(*) FROM holds WHERE released_at IS NULL")
        return int(record[0]) if record else 0


class PostgresRetention(Repository):
    """See kernel.ports.keeping.Retention."""

    def __init__(self, session: Session, *, caller_clock: bool) -> None:
        super().__init__(session)
        self._caller_clock = caller_clock

    def moment(self, now: datetime) -> datetime:
        if self._caller_clock:
            return now
        record = self._one("SELECT least(%s::timestamptz, clock_timestamp())", [now])
        assert record is not None  # it reads no table
        moment: datetime = record[0]
        return moment

    def trusted(self) -> TrustedTimeRow | None:
        record = self._one(TRUSTED.select)
        return TRUSTED.decode(record) if record else None

    def trust(self, row: TrustedTimeRow) -> None:
        self._run(TRUSTED.upsert, TRUSTED.encode(row))

    def tally(self, before: datetime) -> ExpiryTally:
        record = self._one(
            f"SELECT count(*), count(*) FILTER (WHERE {_HELD}) FROM documents {_OLD}",  # noqa: S608  # constants
            [before],
        )
        count, kept = record or (0, 0)
        return ExpiryTally(due=count - kept, held=kept)

    def due(self, before: datetime, limit: int = 100) -> list[DocumentRow]:
        query = DOCUMENTS.select + f"{_OLD}AND NOT {_HELD} ORDER BY received_at, doc_id LIMIT %s"
        return [DOCUMENTS.decode(record) for record in self._all(query, [before, limit])]

    def put(self, row: RetentionRunRow) -> None:
        self._run(RUNS.upsert, RUNS.encode(row))

    def run(self, run_id: UUID) -> RetentionRunRow | None:
        record = self._one(RUNS.select + "WHERE run_id = %s", [run_id])
        return RUNS.decode(record) if record else None

    def runs(self, *, before: UUID | None = None, limit: int = 100) -> list[RetentionRunRow]:
        where, parameters = ("WHERE run_id < %s ", [before]) if before is not None else ("", [])
        query = RUNS.select + where + "ORDER BY run_id DESC LIMIT %s"
        return [RUNS.decode(record) for record in self._all(query, [*parameters, limit])]

    def erased_in(self, run_id: UUID) -> int:
        record = self._one("SELECT count(*) FROM erasures WHERE run_id = %s", [run_id])
        return int(record[0]) if record else 0

    def erasures(self, run_id: UUID, *, after: UUID | None = None, limit: int = 100) -> list[ErasureRow]:
        later = " AND erasure_id > %s" if after is not None else ""
        query = ERASURES.select + f"WHERE run_id = %s{later} ORDER BY erasure_id LIMIT %s"
        parameters = [run_id, *([after] if after is not None else []), limit]
        return [ERASURES.decode(record) for record in self._all(query, parameters)]
