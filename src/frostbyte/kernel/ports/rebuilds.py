"""A new index that is made beside the one that answers."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol
from uuid import UUID

from frostbyte.kernel.records import DocumentRow, RebuildCounts, RebuildRow


class Rebuilds(Protocol):
    """Rebuilds of the index. At most one is open: the newest."""

    def put(self, row: RebuildRow) -> None:
        """Begin or end one; waits for the transactions that hold the collections (see below), and they for this."""
        ...

    def latest(self) -> RebuildRow | None: ...
    def beside(self) -> int:
        """How many there were that filled a collection of their own."""
        ...

    def serving(self) -> str:
        """The name of the vector collection that was last switched to; '' for the first."""
        ...

    def collections(self, *, hold: bool = False) -> tuple[str, str]:
        """Names of the collection that serves and of the one that is made; '' for the first one, and for none.

        `hold` keeps rebuilds from beginning and from ending, and so from switching, until the transaction ends.
        """
        ...

    def counts(self, rebuild_id: UUID, since: datetime) -> RebuildCounts:
        """Over all documents that search sees or that the rebuild touched."""
        ...

    def pending(self, rebuild_id: UUID, limit: int) -> list[DocumentRow]:
        """Documents with passages that search sees, at rest, which the rebuild has not touched; newest first."""
        ...

    def switch(self) -> int:
        """Make what was rebuilt beside the active generations active; returns for how many documents."""
        ...

    def forget_replaced(self, limit: int) -> int:
        """Remove chunks of generations that are neither active nor being made, of documents at rest."""
        ...
