"""Cleared chunks on their way out, page by page, as JSON Lines or Parquet. Every page handed out is remembered."""

from __future__ import annotations

import io
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, Final
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq

from frostbyte.data_plane.serve.documents import Documents
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.ports.unit_of_work import UnitOfWorkFactory
from frostbyte.kernel.records import ChunkRow, DocumentRow, HandoutRow

_TYPES: Final = {"jsonl": "application/jsonl", "parquet": "application/vnd.apache.parquet"}


class Export:
    """Hands out chunks as they may be shown."""

    def __init__(self, unit_of_work: UnitOfWorkFactory, documents: Documents, clock: Clock) -> None:
        self._unit_of_work = unit_of_work
        self._documents = documents
        self._clock = clock

    def page(self, *, format: str, cursor: str | None, limit: int, actor: str) -> tuple[bytes, str, str | None]:
        """(content, media type, cursor of the next page or None).

        The handout is on record before the bytes leave, so that a destruction receipt can list it.

        Raises:
            Invalid: `export_format`, `cursor_invalid`.
        """
        if format not in _TYPES:
            raise Invalid("export_format", "Exports are made as jsonl or parquet.", "Ask for one of these.")
        with self._unit_of_work() as uow:
            chunks = uow.chunks.page(after=_decode(cursor), limit=limit)
            rows = uow.documents.get_many(list({chunk.doc_id for chunk in chunks}))
            if chunks:
                uow.erasures.add_handout(
                    HandoutRow(
                        export_id=new_id(),
                        created_at=self._clock.now(),
                        actor=actor,
                        kind="chunks",
                        doc_ids=tuple(sorted(rows)),
                    )
                )
            uow.commit()
        records = [self._record(chunk, rows[chunk.doc_id]) for chunk in chunks]
        content = _jsonl(records) if format == "jsonl" else _parquet(records)
        return content, _TYPES[format], _encode(chunks[-1]) if len(chunks) == limit else None

    def _record(self, chunk: ChunkRow, row: DocumentRow) -> dict[str, Any]:
        shown = self._documents.artefacts.chunk(row, chunk)
        return {
            "chunk_id": str(chunk.chunk_id),
            "doc_id": str(chunk.doc_id),
            "ordinal": chunk.ordinal,
            "page": chunk.page,
            "start": chunk.start,
            "end": chunk.end,
            "headings": list(shown.headings),
            "text": shown.text,
            "classification": row.classification,
            "pii": list(chunk.pii),
            "generation": chunk.generation,
            "config_version": chunk.config_version,
        }


def _jsonl(records: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()


_SCHEMA: Final = pa.schema(
    [
        ("chunk_id", pa.string()),
        ("doc_id", pa.string()),
        ("ordinal", pa.int32()),
        ("page", pa.int32()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("headings", pa.list_(pa.string())),
        ("text", pa.string()),
        ("classification", pa.string()),
        ("pii", pa.list_(pa.string())),
        ("generation", pa.string()),
        ("config_version", pa.int32()),
    ]
)


def _parquet(records: list[dict[str, Any]]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(records, schema=_SCHEMA), buffer)
    return buffer.getvalue()


def _encode(chunk: ChunkRow) -> str:
    return urlsafe_b64encode(f"{chunk.doc_id}/{chunk.ordinal}".encode()).decode()


def _decode(cursor: str | None) -> tuple[UUID, int] | None:
    if not cursor:
        return None
    try:
        doc, ordinal = urlsafe_b64decode(cursor.encode()).decode().split("/")
        return UUID(doc), int(ordinal)
    except ValueError as error:
        raise Invalid("cursor_invalid", "This cursor was not made by this route.", "Start without a cursor.") from error
