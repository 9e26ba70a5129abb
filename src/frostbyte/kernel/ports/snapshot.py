"""One state of a plane's database, held still while it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from frostbyte.kernel.archive.contents import TableHead
from frostbyte.kernel.ports.unit_of_work import AuditUnitOfWorkFactory
from frostbyte.kernel.records import CheckpointRow, ErasureRow, Row, State


class Tally(NamedTuple):
    """How many rows a table has, and how many of them an earlier snapshot may not have had as they are.

    As many rows as then, and none that is fresh: the table is what it was, since a row that changes is a fresh one, and
    one that goes is missing in the number.
    """

    rows: int
    fresh: int


class HeldDocument(Row, frozen=True, kw_only=True):
    """Of a document's row, what decides which objects it has: all rows are read, and most of their fields are not it.

    See `DocumentRow`.
    """

    doc_id: UUID
    incarnation: int
    state: State
    size: int
    raw_object: str
    key_object: str
    generation: str = ""
    active_generation: str = ""
    rebuild: UUID | None = None
    last_event_id: UUID | None = None


class Snapshot(Protocol):
    """The database as it was at one moment. Its log ends there: a checkpoint covers exactly the events that it sees.

    All methods raise `Unavailable("database_unavailable")` when the store cannot be reached.
    """

    @property
    def taken_at(self) -> datetime:
        """By the store's clock."""
        ...

    @property
    def checkpoint(self) -> CheckpointRow: ...
    @property
    def migrations(self) -> dict[str, str]:
        """Names of those that were applied, in order, with the SHA-256 (hex) of each."""
        ...

    @property
    def tables(self) -> tuple[TableHead, ...]:
        """All but the list of migrations; those that others refer to come first."""
        ...

    def rows(self, table: TableHead, most: int) -> Iterator[bytes]:
        """A table's rows as PostgreSQL's COPY writes them as text, in parts of whole rows.

        Args:
            most: bytes of a part, unless one row has more.
        """
        ...

    def pieces(self, table: TableHead) -> Iterator[bytes]:
        """The same in parts whose ends are found again: where a row differs, few parts do."""
        ...

    @property
    def segmented(self) -> frozenset[str]:
        """Names of the tables that only grow with the log: `segment` reads them."""
        ...

    @property
    def logs(self) -> tuple[int, ...]:
        """Events in each log, by its number; the last one is the one that grows."""
        ...

    @property
    def mark(self) -> str:
        """What a later snapshot of the same database knows this one by (`tallies`); it means something there alone."""
        ...

    def tallies(self, since: str = "") -> dict[str, Tally]:
        """Of each table that does not belong to the log: its rows, and those that came or changed.

        Args:
            since: the mark of an earlier snapshot, from which this database has gone on; '' for none.
        """
        ...

    def segment(self, table: TableHead, log: int, start: int, end: int) -> Iterator[bytes]:
        """Rows of such a table that came with events `start` to `end` of a log. They are the same for ever."""
        ...

    def continues(self, size: int, root: bytes) -> bool:
        """Whether the log that grows had this root when it had so many events, and has grown since."""
        ...

    def documents(self, page: int = 500) -> Iterator[list[HeldDocument]]:
        """All documents that are not erased, by id, page by page."""
        ...

    def batch_keys(self) -> list[str]:
        """Names of the objects that keep keys of batches."""
        ...

    def embeddings(self) -> list[str]:
        """Names of what made the vectors of documents that are found."""
        ...

    def erased_since(self) -> list[ErasureRow]:
        """Erasures that are committed now and were not then."""
        ...


class Snapshots(Protocol):
    """Takes snapshots."""

    def take(self, number: Callable[[AuditUnitOfWorkFactory], object]) -> AbstractContextManager[Snapshot]:
        """A snapshot, until the end of the block; meanwhile no object is swept that only it refers to.

        Args:
            number: numbers and signs the events that the transactions it is given see (`Sequencer.run_once`). Nobody
                else numbers meanwhile.

        Raises:
            Unavailable: `export_log_waits`: the log could not be brought to its end.
        """
        ...
