"""What people look through: uploads, their files and documents in the order of a list, a page at a time, and sums.

Nothing here reads every row to show some: a page costs what is on it, and a sum is made where the rows are.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from frostbyte.kernel.records import BatchRow, DocumentRow, Outcome, ReceiptRow, Row, Stage, State


class FileTally(Row, frozen=True, kw_only=True):
    """Files of one upload that stand alike, counted."""

    batch_id: UUID
    outcome: Outcome
    state: State | None
    """Of their documents; None where they were rejected."""
    stage: Stage | None
    """That is next for them, or that they wait for."""
    count: int
    size: int
    """Bytes of them."""
    recent: int
    """Of these: ended since the moment that was asked for."""


class AccountTally(Row, frozen=True, kw_only=True):
    """What the accounts of an upload's documents sum to. Each document counts once, however often it was sent."""

    outcomes: dict[Outcome, int]
    """Files by what was answered to them; here one counts as often as it was sent."""
    states: dict[State, int]
    """Documents by state."""
    numbers: dict[str, dict[str, int]]
    """By unit (pages, characters, cells, images): found, indexed, redacted, withheld."""
    dropped: dict[str, dict[str, int]]
    """By unit: how many for which reason."""


class ReviewTally(Row, frozen=True, kw_only=True):
    """What people have to decide, counted."""

    documents: int
    """Indexed documents whose class is uncertain."""
    passages: int
    """Passages of the generations that answer which are withheld and wait for a reviewer."""
    kept: int = 0
    """Passages that a reviewer left withheld."""


class Listing(Protocol):
    """Lists. Each is a page that begins after what its caller showed last."""

    def batches(
        self, *, subject: str | None = None, unfinished: bool = False, before: UUID | None = None, limit: int = 100
    ) -> list[BatchRow]:
        """Uploads, newest first, those before another one.

        Args:
            subject: only those that it sent; None for all.
            unfinished: only those that are not complete.
        """
        ...

    def tally(self, batch_ids: Sequence[UUID], since: datetime) -> list[FileTally]:
        """The files of uploads, counted."""
        ...

    def account(self, batch_id: UUID) -> AccountTally:
        """The sum of the accounts of an upload's documents."""
        ...

    def files(
        self, batch_id: UUID, *, states: Sequence[State] | None = None, after: int = -1, limit: int = 100
    ) -> list[ReceiptRow]:
        """An upload's files by their positions, those above `after`.

        Args:
            states: only files whose documents stand so; () for those that were rejected, None for all.
        """
        ...

    def documents(
        self,
        *,
        states: Sequence[State] | None = None,
        needs_review: bool = False,
        before: UUID | None = None,
        limit: int = 100,
    ) -> list[DocumentRow]:
        """Documents by when they came, newest first, those that came before the document `before`.

        Args:
            states: only those that stand so; None for all.
            needs_review: only those whose class is uncertain.
        """
        ...

    def to_review(self) -> ReviewTally:
        """What people have to decide."""
        ...
