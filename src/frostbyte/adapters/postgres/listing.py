"""Lists and sums for people, in PostgreSQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from frostbyte.adapters.postgres.batches import BATCHES, RECEIPTS
from frostbyte.adapters.postgres.documents import DOCUMENTS
from frostbyte.adapters.postgres.mapping import Repository
from frostbyte.kernel.ports.listing import AccountTally, FileTally, ReviewTally
from frostbyte.kernel.records import BatchRow, DocumentRow, Outcome, ReceiptRow, Stage, State

_UNITS: Final = ("pages", "characters", "cells", "images")
_FIELDS: Final = ("found", "indexed", "redacted", "withheld")
_SUMS: Final = ", ".join(
    f"coalesce(sum((account->'{unit}'->>'{field}')::bigint), 0)::bigint" for unit in _UNITS for field in _FIELDS
)
_REASONS: Final = ", ".join(
    f"array_agg(account->'{unit}'->'dropped') FILTER (WHERE account->'{unit}'->'dropped' <> '{{}}')" for unit in _UNITS
)
# One statement, so one scan: most of what it costs is finding the documents. Reasons are added up here; in the
# database each would be a row of its own, and a second scan.
_ACCOUNTS: Final = (
    f"SELECT state, count(*), {_SUMS}, {_REASONS} FROM documents "  # noqa: S608  # constants only
    "WHERE doc_id IN (SELECT doc_id FROM receipts WHERE batch_id = %s) GROUP BY state"
)


class PostgresListing(Repository):
    """See kernel.ports.listing.Listing. Each filter is a statement of its own, so that the planner sees its index."""

    def batches(
        self, *, subject: str | None = None, unfinished: bool = False, before: UUID | None = None, limit: int = 100
    ) -> list[BatchRow]:
        where, parameters = ["true"], list[Any]()
        if subject is not None:
            where.append("subject = %s")
            parameters.append(subject)
        if unfinished:
            where.append("completed_at IS NULL")
        if before is not None:
            where.append("batch_id < %s")
            parameters.append(before)
        # An upload's id is a UUIDv7: it begins with the time at which it was made.
        query = BATCHES.select + "WHERE " + " AND ".join(where) + " ORDER BY batch_id DESC LIMIT %s"
        return [BATCHES.decode(record) for record in self._all(query, [*parameters, limit])]

    def tally(self, batch_ids: Sequence[UUID], since: datetime) -> list[FileTally]:
        if not batch_ids:
            return []
        query = (
            "SELECT batch_id, outcome, state, stage, count(*), sum(receipts.size)::bigint, "
            "count(*) FILTER (WHERE documents.finished_at >= %s) "
            "FROM receipts LEFT JOIN documents USING (doc_id) WHERE batch_id = ANY(%s) GROUP BY 1, 2, 3, 4"
        )
        return [
            FileTally(
                batch_id=batch_id,
                outcome=Outcome(outcome),
                state=State(state) if state is not None else None,
                stage=Stage(stage) if stage is not None else None,
                count=int(count),
                size=int(size),
                recent=int(recent),
            )
            for batch_id, outcome, state, stage, count, size, recent in self._all(query, [since, list(batch_ids)])
        ]

    def account(self, batch_id: UUID) -> AccountTally:
        outcomes = self._all("SELECT outcome, count(*) FROM receipts WHERE batch_id = %s GROUP BY outcome", [batch_id])
        states = dict[State, int]()
        numbers = {unit: dict.fromkeys(_FIELDS, 0) for unit in _UNITS}
        dropped = {unit: Counter[str]() for unit in _UNITS}
        for state, count, *sums in self._all(_ACCOUNTS, [batch_id]):
            states[State(state)] = int(count)
            found = iter(sums)
            for unit in _UNITS:
                for field in _FIELDS:
                    numbers[unit][field] += int(next(found))
            for unit, reasons in zip(_UNITS, found, strict=True):
                for one in reasons or ():
                    dropped[unit].update(one)
        return AccountTally(
            outcomes={Outcome(outcome): int(count) for outcome, count in outcomes},
            states=states,
            numbers=numbers,
            dropped={unit: dict(sorted(reasons.items())) for unit, reasons in dropped.items()},
        )

    def files(
        self, batch_id: UUID, *, states: Sequence[State] | None = None, after: int = -1, limit: int = 100
    ) -> list[ReceiptRow]:
        query, parameters = RECEIPTS.select + "WHERE batch_id = %s AND position > %s", [batch_id, after]
        if states is not None and not states:
            query += " AND outcome = 'rejected'"
        elif states is not None:
            query = (
                RECEIPTS.select + "JOIN documents USING (doc_id) WHERE batch_id = %s AND position > %s "
                "AND documents.state = ANY(%s)"
            )
            parameters.append([state.value for state in states])
        return [
            RECEIPTS.decode(record) for record in self._all(query + " ORDER BY position LIMIT %s", [*parameters, limit])
        ]

    def documents(
        self,
        *,
        states: Sequence[State] | None = None,
        needs_review: bool = False,
        before: UUID | None = None,
        limit: int = 100,
    ) -> list[DocumentRow]:
        where, parameters = ["true"], list[Any]()
        if states is not None and len(states) == 1:
            where.append("state = %s")
            parameters.append(states[0].value)
        elif states is not None:
            where.append("state = ANY(%s)")
            parameters.append([state.value for state in states])
        if needs_review:
            where.append("needs_review")
        if before is not None:
            where.append("(received_at, doc_id) < (SELECT received_at, doc_id FROM documents WHERE doc_id = %s)")
            parameters.append(before)
        query = DOCUMENTS.select + "WHERE " + " AND ".join(where) + " ORDER BY received_at DESC, doc_id DESC LIMIT %s"
        return [DOCUMENTS.decode(record) for record in self._all(query, [*parameters, limit])]

    def to_review(self) -> ReviewTally:
        record = self._one(
            "SELECT (SELECT count(*) FROM documents WHERE needs_review AND state = 'indexed'), "
            "count(*) FILTER (WHERE NOT chunks.kept), count(*) FILTER (WHERE chunks.kept) FROM chunks JOIN documents "
            "ON documents.doc_id = chunks.doc_id AND documents.active_generation = chunks.generation "
            "WHERE documents.active_generation <> '' AND chunks.withheld"
        )
        documents, passages, kept = record or (0, 0, 0)
        return ReviewTally(documents=int(documents), passages=int(passages), kept=int(kept))
