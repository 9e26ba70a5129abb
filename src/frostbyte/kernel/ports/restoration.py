"""The database of an empty plane, while an exported one is put into it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol
from uuid import UUID

from frostbyte.kernel.archive.contents import Head
from frostbyte.kernel.ports.unit_of_work import UnitOfWork


class Restoration(Protocol):
    """One transaction: all of it, or nothing. Nobody else works with the database meanwhile.

    All methods raise `Unavailable("database_unavailable")` when the store cannot be reached.
    """

    @property
    def uow(self) -> UnitOfWork:
        """What was put in, and what is changed of it; its `commit` makes all of it durable."""
        ...

    def load(self, head: Head, parts: Iterable[tuple[str, Iterator[bytes]]]) -> None:
        """Put the rows into tables of the schema that they were taken from, and bring those up to date.

        Leases end, machines' keys are revoked, and a rebuild of the index that was under way is forgotten.

        Args:
            head: names schema, tables and columns.
            parts: of tables, with rows as PostgreSQL's COPY writes them as text.

        Raises:
            Conflict: `archive_newer`: of a schema that this version does not know; `migration_changed`.
            Invalid: `archive_broken`: rows or tables that do not fit.
        """
        ...


class Restorations(Protocol):
    """Begins restoring."""

    def restored_from(self) -> UUID | None:
        """The export that this plane was restored from, and that its log begins with."""
        ...

    def begin(self) -> AbstractContextManager[Restoration]:
        """A transaction on a database that holds nothing.

        Raises:
            Conflict: `plane_not_empty`.
        """
        ...

    def rehearse(self) -> AbstractContextManager[Restoration]:
        """A transaction on empty tables of its own, beside the plane's; nothing of it is ever committed.

        Raises:
            Unavailable: `backup_trial_refused`: the database lets nobody make such tables.
        """
        ...
