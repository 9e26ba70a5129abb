"""What messages say: ids, counts, states and links. Never a name, a text or a reason in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from frostbyte.kernel.clock import iso
from frostbyte.kernel.records import BatchRow, DocumentRow, State
from frostbyte.kernel.webhooks.records import Kind

MOST_DOCUMENTS: Final = 100
"""Documents that a message names: those that somebody has to look at. The batch's status names all of them."""


def batch_completed(
    tenant_id: str, batch: BatchRow, rows: Sequence[DocumentRow], *, files: int, rejected: int, now: datetime
) -> bytes:
    """What is said when a batch has ended.

    Args:
        rows: its documents, each once.
        files: that were sent, whatever became of them.
        rejected: of those, how many were not taken.
        now: when it ended.
    """
    path = f"/api/v1/ingest/{batch.batch_id}"
    look = sorted((row for row in rows if row.state is not State.INDEXED or row.needs_review), key=lambda r: r.doc_id)
    return _message(
        Kind.BATCH_COMPLETED,
        now,
        {
            "tenant_id": tenant_id,
            "batch_id": str(batch.batch_id),
            "created_at": iso(batch.created_at),
            "completed_at": iso(now),
            "files": files,
            "rejected": rejected,
            "documents": dict(sorted(Counter(row.state.value for row in rows).items())),
            "withheld": sum(row.withheld for row in rows),
            "needs_review": sum(row.needs_review for row in rows),
            "attention": [_document(row) for row in look[:MOST_DOCUMENTS]],
            "attention_more": max(0, len(look) - MOST_DOCUMENTS),
            "links": {"status": path, "report": f"{path}/report", "console": f"/console/batches/{batch.batch_id}"},
        },
    )


def test(tenant_id: str, webhook_id: UUID, now: datetime) -> bytes:
    """What is said to try a webhook."""
    return _message(Kind.TEST, now, {"tenant_id": tenant_id, "webhook_id": str(webhook_id)})


def _document(row: DocumentRow) -> dict[str, Any]:
    return {
        "doc_id": str(row.doc_id),
        "state": row.state.value,
        "code": row.code or None,
        "needs_review": row.needs_review,
        "link": f"/api/v1/documents/{row.doc_id}",
    }


def _message(kind: Kind, now: datetime, data: dict[str, Any]) -> bytes:
    return msgspec.json.encode({"type": kind.value, "timestamp": iso(now), "data": data})
