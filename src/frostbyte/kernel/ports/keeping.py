"""What the relational store knows of how long documents stay: erasures, legal holds, and runs of retention."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol
from uuid import UUID

from frostbyte.kernel.errors import Conflict
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


class Erasures(Protocol):
    """Erasures and exports handed out."""

    def put(self, row: ErasureRow) -> None: ...
    def of_document(self, doc_id: UUID) -> list[ErasureRow]: ...
    def get(self, erasure_id: UUID) -> ErasureRow | None: ...
    def unfinished(self) -> list[ErasureRow]:
        """Those without vectors_gone_at."""
        ...

    def add_handout(self, row: HandoutRow) -> None: ...
    def handouts_of(self, doc_id: UUID) -> list[HandoutRow]: ...
    def handed_out(self, kind: str, limit: int = 100) -> list[HandoutTally]:
        """Exports of a kind, newest first."""
        ...


class Holds(Protocol):
    """Legal holds. One is placed and it is released; what it covers never changes."""

    def add(self, row: HoldRow) -> None:
        """Place it. Waits for erasures that are being decided, and they for this: from then on it holds."""
        ...

    def release(self, hold_id: UUID, at: datetime, actor: str, reason: str) -> bool:
        """Release it for good; whether it was there and in force."""
        ...

    def get(self, hold_id: UUID) -> HoldRow | None: ...
    def page(
        self, *, in_force: bool = False, doc_id: UUID | None = None, after: UUID | None = None, limit: int = 100
    ) -> list[HoldRow]:
        """Ordered by id, which is by age.

        Args:
            in_force: only those that are not released.
            doc_id: only those that cover this document, as those on everything do.
        """
        ...

    def count(self) -> int:
        """How many are in force."""
        ...


class Retention(Protocol):
    """Runs of retention, what is due, and the time that the plane is sure of."""

    def moment(self, now: datetime) -> datetime:
        """The earlier one of the caller's time and the store's own: neither alone makes anything expire."""
        ...

    def trusted(self) -> TrustedTimeRow | None: ...
    def trust(self, row: TrustedTimeRow) -> None:
        """Replace it."""
        ...

    def tally(self, before: datetime) -> ExpiryTally:
        """Documents that came before a moment."""
        ...

    def due(self, before: datetime, limit: int = 100) -> list[DocumentRow]:
        """Documents that came before a moment, are not erased and that no hold covers; oldest first."""
        ...

    def put(self, row: RetentionRunRow) -> None:
        """Begin or end a run. Raises Conflict("row_exists") if another one has not ended."""
        ...

    def run(self, run_id: UUID) -> RetentionRunRow | None: ...
    def runs(self, *, before: UUID | None = None, limit: int = 100) -> list[RetentionRunRow]:
        """Newest first, those begun before another one."""
        ...

    def erased_in(self, run_id: UUID) -> int:
        """How many documents the run has erased."""
        ...

    def erasures(self, run_id: UUID, *, after: UUID | None = None, limit: int = 100) -> list[ErasureRow]:
        """Its erasures, ordered by their ids."""
        ...


def held() -> Conflict:
    """The error for an erasure that a hold forbids, and what its callers are told. It names no matter."""
    return Conflict(
        "document_held",
        "The document is under a legal hold, so it is not erased.",
        "Have every hold on it released first: `frostbyte hold list --document ID` shows them to whoever may see them.",
    )
