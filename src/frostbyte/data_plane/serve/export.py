"""Cleared chunks on their way out, page by page, as JSON Lines or Parquet. Every page handed out is remembered."""

from __future__ import annotations

import io
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from itertools import accumulate
from typing import Any, Final
from uuid import UUID

from arro3.core import Array, DataType, Field, Schema, Table, list_array
from arro3.io import write_parquet

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


_COLUMNS: Final = {
    "chunk_id": DataType.utf8(),
    "doc_id": DataType.utf8(),
    "ordinal": DataType.int32(),
    "page": DataType.int32(),
    "start": DataType.int64(),
    "end": DataType.int64(),
    "headings": DataType.list(Field("element", DataType.utf8())),
    "text": DataType.utf8(),
    "classification": DataType.utf8(),
    "pii": DataType.list(Field("element", DataType.utf8())),
    "generation": DataType.utf8(),
    "config_version": DataType.int32(),
}


def _parquet(records: list[dict[str, Any]]) -> bytes:
    arrays = [_array([record[name] for record in records], kind) for name, kind in _COLUMNS.items()]
    schema = Schema([Field(name, kind) for name, kind in _COLUMNS.items()])
    buffer = io.BytesIO()
    write_parquet(Table.from_arrays(arrays, schema=schema), buffer, compression="snappy")
    return buffer.getvalue()


def _array(values: list[Any], kind: DataType) -> Array:
    """One column; a list's are its items one after the other, and where each row's end."""
    item = kind.value_type
    if item is None:
        return Array(values, kind)
    ends = Array([0, *accumulate(len(value) for value in values)], DataType.int32())
    return list_array(ends, Array([text for value in values for text in value], item), type=kind)


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
