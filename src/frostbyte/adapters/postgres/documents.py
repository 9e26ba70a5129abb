"""Documents and chunks in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from frostbyte.adapters.postgres.mapping import Repository, Table
from frostbyte.kernel.records import ChunkRow, DocumentRow, DocumentTally, State

DOCUMENTS: Final = Table("documents", DocumentRow, "doc_id")
CHUNKS: Final = Table("chunks", ChunkRow, "chunk_id")

_CHUNK_KINDS: Final = (  # of ChunkRow's fields, in order
    *("uuid", "uuid", "text", "int4", "int4", "int4", "int4", "int8", "int8"),
    *("bool", "float8", "text[]", "int4", "bool"),
)

_VISIBLE: Final = (
    "JOIN documents ON documents.doc_id = chunks.doc_id AND documents.active_generation = chunks.generation "
    "WHERE documents.active_generation <> '' "
)
_BOTH: Final = CHUNKS.select.replace(" FROM ", f", {DOCUMENTS.listed} FROM ") + _VISIBLE
"""Visible chunks, and behind the columns of each those of its document."""


class PostgresDocuments(Repository):
    """See kernel.ports.unit_of_work.Documents."""

    def get(self, doc_id: UUID, *, lock: bool = False) -> DocumentRow | None:
        record = self._one(DOCUMENTS.select + "WHERE doc_id = %s" + (" FOR UPDATE" if lock else ""), [doc_id])
        return DOCUMENTS.decode(record) if record else None

    def get_many(self, doc_ids: Sequence[UUID]) -> dict[UUID, DocumentRow]:
        if not doc_ids:
            return {}
        records = self._all(DOCUMENTS.select + "WHERE doc_id = ANY(%s)", [list(doc_ids)])
        return {row.doc_id: row for row in map(DOCUMENTS.decode, records)}

    def put(self, row: DocumentRow) -> None:
        self._run(DOCUMENTS.upsert, DOCUMENTS.encode(row))

    def page(
        self,
        *,
        state: State | None = None,
        needs_review: bool | None = None,
        after: UUID | None = None,
        limit: int = 100,
    ) -> list[DocumentRow]:
        # Each combination is a statement of its own, so that the planner sees which index fits.
        where, parameters = ["true"], list[Any]()
        if state is not None:
            where.append("state = %s")
            parameters.append(state.value)
        if needs_review is not None:
            where.append("needs_review" if needs_review else "NOT needs_review")
        if after is not None:
            where.append("doc_id > %s")
            parameters.append(after)
        query = DOCUMENTS.select + "WHERE " + " AND ".join(where) + " ORDER BY doc_id LIMIT %s"
        return [DOCUMENTS.decode(record) for record in self._all(query, [*parameters, limit])]

    def stored_bytes(self) -> int:
        record = self._one("SELECT coalesce(sum(size), 0)::bigint FROM documents WHERE state <> 'erased'")
        return int(record[0]) if record else 0

    def tally(self) -> list[DocumentTally]:
        query = (
            "SELECT state, CASE WHEN state = 'erased' THEN '' ELSE code END, "
            "scan_verdict = 'unscanned' AND state <> 'erased', count(*) FROM documents GROUP BY 1, 2, 3"
        )
        return [
            DocumentTally(state=State(state), code=str(code), unscanned=bool(unscanned), count=int(count))
            for state, code, unscanned, count in self._all(query)
        ]


class PostgresChunks(Repository):
    """See kernel.ports.unit_of_work.Chunks."""

    def put_generation(self, doc_id: UUID, generation: str, rows: Sequence[ChunkRow]) -> None:
        self._run("DELETE FROM chunks WHERE doc_id = %s AND generation = %s", [doc_id, generation])
        if rows:
            self._copy(CHUNKS.copy, _CHUNK_KINDS, [CHUNKS.encode(row) for row in rows])

    def get(self, chunk_id: UUID) -> ChunkRow | None:
        record = self._one(CHUNKS.select + "WHERE chunk_id = %s", [chunk_id])
        return CHUNKS.decode(record) if record else None

    def visible(self, chunk_ids: Sequence[UUID]) -> dict[UUID, tuple[ChunkRow, DocumentRow]]:
        if not chunk_ids:
            return {}
        records = self._all(_BOTH + "AND NOT chunks.withheld AND chunk_id = ANY(%s)", [list(chunk_ids)])
        first = len(CHUNKS.names)
        documents: dict[UUID, DocumentRow] = {}  # many chunks are of few documents: each is made once
        found: dict[UUID, tuple[ChunkRow, DocumentRow]] = {}
        for record in records:
            chunk = CHUNKS.decode(record)
            if chunk.doc_id not in documents:
                documents[chunk.doc_id] = DOCUMENTS.decode(record[first:])
            found[chunk.chunk_id] = (chunk, documents[chunk.doc_id])
        return found

    def of_document(self, doc_id: UUID, generation: str) -> list[ChunkRow]:
        records = self._all(
            CHUNKS.select + "WHERE doc_id = %s AND generation = %s ORDER BY ordinal", [doc_id, generation]
        )
        return [CHUNKS.decode(record) for record in records]

    def page(self, *, after: tuple[UUID, int] | None = None, limit: int = 500) -> list[ChunkRow]:
        query = CHUNKS.select + _VISIBLE + "AND NOT chunks.withheld "
        parameters: list[Any] = []
        if after is not None:
            query += "AND (chunks.doc_id, chunks.ordinal) > (%s, %s) "
            parameters += after
        records = self._all(query + "ORDER BY chunks.doc_id, chunks.ordinal LIMIT %s", [*parameters, limit])
        return [CHUNKS.decode(record) for record in records]

    def withheld(self, limit: int = 100, *, kept: bool = False) -> list[ChunkRow]:
        query = CHUNKS.select + _VISIBLE + "AND chunks.withheld AND chunks.kept = %s "
        records = self._all(query + "ORDER BY chunks.doc_id, chunks.ordinal LIMIT %s", [kept, limit])
        return [CHUNKS.decode(record) for record in records]

    def delete_document(self, doc_id: UUID, *, except_generation: str = "") -> None:
        self._run("DELETE FROM chunks WHERE doc_id = %s AND generation <> %s", [doc_id, except_generation])
