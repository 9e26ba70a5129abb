"""What a stage decided, before it is committed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import structlog

from frostbyte.data_plane.document import Document
from frostbyte.kernel.audit.events import EventType
from frostbyte.kernel.ports.unit_of_work import UnitOfWork
from frostbyte.kernel.records import DocumentRow, JobRow, Stage, State


@dataclass(frozen=True, kw_only=True)
class Note:
    """An event to write: its type, its own details and, where an artefact was made, that artefact's commitment."""

    type: EventType
    details: dict[str, Any] = field(default_factory=dict)
    output: str = ""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a stage decided; nothing of it holds before the commit."""

    notes: tuple[Note, ...]
    changes: dict[str, Any] = field(default_factory=dict)
    """Fields of the document's row."""
    following: Stage | None = None
    """The next stage; None ends the flow and needs `state` in `changes`."""
    write: Callable[[UnitOfWork], None] | None = None
    after: Callable[[], None] | None = None
    """Cleaning that may be lost: done again by the sweep."""


def drops(document: Document) -> tuple[Note, ...]:
    """An event for each reason why something was found and is not read on."""
    counts: dict[str, int] = {}
    for page in document.pages:
        for drop in page.dropped:
            counts[drop.reason] = counts.get(drop.reason, 0) + drop.end - drop.start
    missing = document.pages_found - len(document.pages)
    pages = (Note(type=EventType.CONTENT_DROPPED, details={"reason": "missing_page", "count": missing}),)
    return tuple(
        Note(type=EventType.CONTENT_DROPPED, details={"reason": reason, "count": count})
        for reason, count in sorted(counts.items())
    ) + (pages if missing else ())


def tell(job: JobRow, row: DocumentRow | None, milliseconds: int | None = None) -> None:
    """Log how a stage ended: what it made of the document's row; None where another worker holds the job now.

    With the document's id, one document's way is found in the logs of all processes; which upload it came with stands
    in the gateway's line `document_received`.
    """
    status = "lost" if row is None else row.state.value if row.state.terminal or row.state is State.WAITING else "done"
    log = structlog.get_logger("frostbyte.stage")
    (log.info if status in ("done", "indexed") else log.warning)(
        "stage_ended",
        stage=job.stage.value,
        status=status,
        code=row.code if row is not None else "lease_lost",
        doc_id=job.doc_id,
        job_id=job.job_id,
        attempt=job.attempt,
        duration_ms=milliseconds,
    )
