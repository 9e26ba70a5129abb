"""Uploads and documents as people look through them: newest first, a page at a time, with sums and the time left.

An upload may have 100,000 files. Whoever looks at it is told sums, and files by the page: what is shown costs what is
on the page, and names of files are opened for it alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from frostbyte.data_plane.serve.batches import Batches, Waits
from frostbyte.data_plane.serve.documents import Documents
from frostbyte.kernel.clock import Clock, iso
from frostbyte.kernel.ports.listing import FileTally
from frostbyte.kernel.ports.unit_of_work import UnitOfWorkFactory
from frostbyte.kernel.records import BatchRow, Outcome, Stage, State

WINDOW: Final = timedelta(seconds=60)
"""The pace is that of the last minute: long enough for slow documents, short enough to follow a change."""

UNDER_WAY: Final = (State.RECEIVED, State.WAITING)
"""States that a document leaves by itself."""


class Lists:
    """Pages and sums.

    Args:
        batches: shows files.
        documents: shows documents.
        waits: why no document goes on now; None while they do.
    """

    def __init__(
        self,
        *,
        unit_of_work: UnitOfWorkFactory,
        batches: Batches,
        documents: Documents,
        clock: Clock,
        waits: Waits = lambda: None,
    ) -> None:
        self._unit_of_work = unit_of_work
        self._batches = batches
        self._documents = documents
        self._clock = clock
        self._waits = waits

    def batches(
        self, subject: str | None, *, unfinished: bool = False, before: UUID | None = None, limit: int = 25
    ) -> dict[str, Any]:
        """Uploads, newest first, each with its sums, and the cursor of the next page.

        Args:
            subject: whose; None for all.
            unfinished: only those that are not complete.
            before: the last one of the page before.
            limit: how many.
        """
        now = self._clock.now()
        with self._unit_of_work(reading=True) as uow:
            rows = uow.listing.batches(subject=subject, unfinished=unfinished, before=before, limit=limit + 1)
            shown = rows[:limit]
            tallies = uow.listing.tally([row.batch_id for row in shown], now - WINDOW)
        return {
            "batches": [
                self._sums(row, [tally for tally in tallies if tally.batch_id == row.batch_id], now) for row in shown
            ],
            "next_cursor": str(shown[-1].batch_id) if len(rows) > limit else None,
        }

    def progress(self, batch_id: UUID, subject: str | None) -> dict[str, Any]:
        """One upload's sums: how many of its files stand how, and how many seconds are left at the pace measured.

        Raises:
            NotFound: `batch_not_found`.
        """
        now = self._clock.now()
        with self._unit_of_work(reading=True) as uow:
            row = self._batches.own(uow, batch_id, subject)
            tallies = uow.listing.tally([batch_id], now - WINDOW)
        return self._sums(row, tallies, now)

    def files(
        self,
        batch_id: UUID,
        subject: str | None,
        *,
        states: Sequence[State] | None = None,
        after: int = -1,
        limit: int = 50,
    ) -> dict[str, Any]:
        """A page of an upload's files, by their positions, and the cursor of the next.

        Args:
            states: only those whose documents stand so; () for those that were rejected, None for all.

        Raises:
            NotFound: `batch_not_found`.
        """
        with self._unit_of_work(reading=True) as uow:
            batch = self._batches.own(uow, batch_id, subject)
            receipts = uow.listing.files(batch_id, states=states, after=after, limit=limit + 1)
            shown = receipts[:limit]
            rows = uow.documents.get_many([receipt.doc_id for receipt in shown if receipt.doc_id])
        return {
            "files": [
                self._batches.shown(batch, receipt, rows.get(receipt.doc_id) if receipt.doc_id else None)
                | {"position": receipt.position}
                for receipt in shown
            ],
            "next_cursor": shown[-1].position if len(receipts) > limit else None,
        }

    def documents(
        self,
        *,
        states: Sequence[State] | None = None,
        needs_review: bool = False,
        before: UUID | None = None,
        limit: int = 50,
    ) -> dict[str, Any]:
        """A page of the tenant's documents, newest first, and the cursor of the next."""
        with self._unit_of_work(reading=True) as uow:
            rows = uow.listing.documents(states=states, needs_review=needs_review, before=before, limit=limit + 1)
        shown = rows[:limit]
        with self._documents.answering():
            items = [self._documents.summary(row) for row in shown]
        return {"documents": items, "next_cursor": str(shown[-1].doc_id) if len(rows) > limit else None}

    def _sums(self, row: BatchRow, tallies: Sequence[FileTally], now: datetime) -> dict[str, Any]:
        waits = self._waits()
        states, stages = Counter[str](), Counter[str]()
        for tally in tallies:
            if tally.state is None:
                continue
            held = waits is not None and tally.state in UNDER_WAY
            states[State.WAITING.value if held else tally.state.value] += tally.count
            if tally.state in UNDER_WAY and tally.stage is not None:
                stages[tally.stage.value] += tally.count
        left = seconds_left(tallies, since=row.created_at, now=now) if waits is None else None
        return {
            "batch_id": str(row.batch_id),
            "sender": row.subject,
            "created_at": iso(row.created_at),
            "closed_at": iso(row.closed_at) if row.closed_at else None,
            "completed_at": iso(row.completed_at) if row.completed_at else None,
            "files": sum(tally.count for tally in tallies),
            "bytes": sum(tally.size for tally in tallies),
            "rejected": _count(tallies, Outcome.REJECTED),
            "duplicates": _count(tallies, Outcome.DUPLICATE),
            "states": {state.value: states[state.value] for state in State},
            "stages": {stage.value: stages[stage.value] for stage in Stage},
            "seconds_left": left,
            "waits": None if waits is None else {"code": waits.code, "message": waits.message, "remedy": waits.remedy},
        }


def seconds_left(tallies: Iterable[FileTally], *, since: datetime, now: datetime) -> float | None:
    """How long the documents under way will take at the pace of the last minute.

    Args:
        tallies: of the upload, with what ended within `WINDOW`.
        since: when the upload began: a shorter time than the window is measured over what there was of it.
        now: the moment of the tally.

    Returns:
        Seconds; 0 if none is under way, None while none has ended lately and so nobody can tell.
    """
    tallies = list(tallies)
    under_way = sum(tally.count for tally in tallies if tally.state in UNDER_WAY)
    ended = sum(tally.recent for tally in tallies)
    if not under_way:
        return 0.0
    measured = min(WINDOW, now - since).total_seconds()
    if not ended or measured <= 0:
        return None
    return round(under_way * measured / ended, 1)


def _count(tallies: Iterable[FileTally], outcome: Outcome) -> int:
    return sum(tally.count for tally in tallies if tally.outcome is outcome)
