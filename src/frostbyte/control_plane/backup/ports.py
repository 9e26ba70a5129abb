"""What the control plane's own backup needs of the world: its database as a whole, and its files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol
from uuid import UUID

from frostbyte.control_plane.provisioning.ports import ProvisioningUnitOfWork
from frostbyte.kernel.archive.contents import TableHead


class State(Protocol):
    """The database as it was at one moment. Its log ends at its newest checkpoint.

    All methods raise `Unavailable("database_unavailable")`.
    """

    @property
    def taken_at(self) -> datetime:
        """By the database's clock."""
        ...

    @property
    def migrations(self) -> dict[str, str]:
        """Names of those that were applied, in order, with the SHA-256 (hex) of each."""
        ...

    @property
    def tables(self) -> tuple[TableHead, ...]:
        """Those whose rows are not the schema's own; what others refer to comes first."""
        ...

    def rows(self, table: TableHead, most: int) -> Iterator[bytes]:
        """A table's rows as PostgreSQL's COPY writes them as text, in parts of at least `most` bytes of whole rows."""
        ...


States = Callable[[], AbstractContextManager[State]]
"""Holds a state until the end of the block."""


class Loaded(Protocol):
    """A database into which a state was loaded, before anybody sees it."""

    @property
    def uow(self) -> ProvisioningUnitOfWork:
        """What was loaded, and what is changed of it; its `commit` makes all of it durable."""
        ...

    def load(
        self, migrations: Mapping[str, str], parts: Iterable[tuple[TableHead, Iterable[bytes]]], *, version: str
    ) -> None:
        """Put the rows into tables of the schema that they were taken from, and bring those up to date.

        Machines' keys are revoked, and what planes had acknowledged counts no more: they are asked anew.

        Args:
            version: of Frostbyte, that took them.

        Raises:
            Conflict: `archive_newer`, `migration_changed`.
            Invalid: `archive_broken`.
        """
        ...


class Databases(Protocol):
    """The control plane's database, for who restores it."""

    def restored_from(self) -> UUID | None:
        """The snapshot that it was restored from, and that its log begins with; None for any other."""
        ...

    def begin(self) -> AbstractContextManager[Loaded]:
        """One transaction on a database that holds nothing: all of it, or nothing. Nobody else works with it.

        Raises:
            Conflict: `control_not_empty`.
        """
        ...


class Files(Protocol):
    """What of the data folder is kept, by its path there."""

    def public(self) -> Mapping[str, bytes]:
        """What every snapshot may keep: what versions run on hosts, operators' public keys."""
        ...

    def private(self) -> Mapping[str, bytes]:
        """Keys, sealed secrets, authorities, tokens: kept in their latest state alone."""
        ...

    def put(self, files: Mapping[str, bytes], *, replace: bool) -> int:
        """Write them durably, and destroy what a write that was killed has left; how many were written.

        Args:
            replace: whether those take the place of others that are there, as they do where nothing has begun yet.

        Raises:
            Invalid: `archive_broken`: one can be none of ours.
            Unavailable: `secret_unwritable`.
        """
        ...
