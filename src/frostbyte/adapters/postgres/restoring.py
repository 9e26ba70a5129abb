"""Putting the rows of an exported plane into an empty database, in one transaction.

The tables are made anew by the migrations that the rows were taken from, so that rows of an older version fit; then the
rest of the migrations changes them like those of any plane. Nothing is visible, and nothing is lost, before the commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

import psycopg
from psycopg import sql

from frostbyte.adapters.postgres import tables
from frostbyte.adapters.postgres.audit import SequencerMark
from frostbyte.adapters.postgres.errors import translated
from frostbyte.adapters.postgres.mapping import Connection, Session, prepare
from frostbyte.adapters.postgres.pool import CONNECT_SECONDS
from frostbyte.adapters.postgres.schema import apply_migrations, check_version, compare, packaged
from frostbyte.adapters.postgres.unit_of_work import PostgresUnitOfWork
from frostbyte.kernel.archive.contents import Head
from frostbyte.kernel.archive.file import broken
from frostbyte.kernel.errors import Conflict, Unavailable

_OWN: Final = ("plane", "plane_standing", "schema_migrations")
"""Tables that have rows in an empty plane too."""
_LEFT: Final = ("plane_standing", "scanners")
"""What a plane does not take from another: how that one stood with its control plane, what scanned there."""
_LAST: Final = "ended_logs"
"""Once a log is said to have ended, nothing is added to it: so its rows come first."""
_SCRATCH: Final = sql.Identifier("frostbyte_trial")
"""The schema of a trial: it is never committed, so nobody else ever sees it, and nothing of it survives a kill."""
LOCK_WAIT: Final = "10s"

_RESTORED: Final = (
    "SELECT details->>'export_id' FROM audit_sequence JOIN audit_events USING (event_id) "
    "WHERE log = current_log() AND sequence = 0 AND type = 'PLANE_RESTORED'"
)
_SETTLE: Final = (
    "UPDATE jobs SET leased_until = NULL, worker = '' WHERE leased_until IS NOT NULL",
    # Whoever has such a key may not know that the plane stands elsewhere now; and one may have been revoked since.
    "UPDATE api_keys SET revoked_at = clock_timestamp(), revoked_by = 'import' WHERE revoked_at IS NULL",
    # What it had filled beside is not in the archive.
    "DELETE FROM rebuilds WHERE finished_at IS NULL",
    "UPDATE documents SET rebuild = NULL WHERE rebuild IS NOT NULL "
    "AND NOT EXISTS (SELECT FROM rebuilds WHERE rebuild_id = rebuild)",
)


class PostgresRestoration:
    """See kernel.ports.restoration.Restoration."""

    def __init__(self, connection: Connection, writer: str, *, apart: bool = False) -> None:
        self._connection = connection
        self._writer = writer
        self._apart = apart
        """Whether its tables are beside those of a plane, which stay."""
        self.uow = PostgresUnitOfWork(Session(connection), SequencerMark(), caller_clock=False)

    def load(self, head: Head, parts: Iterable[tuple[str, Iterator[bytes]]]) -> None:
        files = packaged()
        known = {item.name for item in files}
        if len(head.migrations) > len(files) or not known.issuperset(head.migrations):
            raise Conflict(
                "archive_newer",
                "The archive comes from a newer version of Frostbyte than this one.",
                f"Import it with version {head.version} or a later one.",
            )
        compare(head.migrations, files)
        columns = {table.name: table.columns for table in head.tables}
        if not self._apart:
            tables.clear(self._connection)
        apply_migrations(self._connection, files[: len(head.migrations)], self._writer)
        last: list[bytes] = []
        for table, rows in parts:
            if table not in columns:
                raise broken("it holds rows of a table that it does not name")
            if table == _LAST:
                last += rows
            elif table not in _LEFT:
                tables.put(self._connection, table, columns[table], rows)
        if last:
            tables.put(self._connection, _LAST, columns[_LAST], last)
        apply_migrations(self._connection, files[len(head.migrations) :], self._writer)
        for statement in _SETTLE:
            self._connection.execute(sql.SQL(statement))


class PostgresRestorations:
    """See kernel.ports.restoration.Restorations.

    Args:
        owner_dsn: of the role that owns the tables.
        writer: the role that the running plane has.
    """

    def __init__(self, owner_dsn: str, writer: str) -> None:
        self._owner_dsn = owner_dsn
        self._writer = writer

    def restored_from(self) -> UUID | None:
        with self._connected() as connection:
            if connection.execute("SELECT to_regclass('ended_logs')").fetchone() == (None,):
                return None
            found = connection.execute(_RESTORED).fetchone()
        return UUID(found[0]) if found else None

    @contextmanager
    def begin(self) -> Iterator[PostgresRestoration]:
        with self._connected() as connection:
            check_version(connection.info.server_version)
            _see_that_it_is_empty(connection)
            try:
                yield PostgresRestoration(connection, self._writer)
            finally:
                connection.rollback()  # what was committed stays

    @contextmanager
    def rehearse(self) -> Iterator[PostgresRestoration]:
        with self._connected() as connection:
            try:
                connection.execute(sql.SQL("CREATE SCHEMA {}").format(_SCRATCH))
            except psycopg.errors.InsufficientPrivilege:
                raise Unavailable(
                    "backup_trial_refused",
                    "The database lets this plane make no schema, so no backup can be tried there.",
                    "Grant CREATE on the database to its owner's role (GRANT CREATE ON DATABASE ... TO ...).",
                ) from None
            connection.execute(sql.SQL("SET LOCAL search_path TO {}").format(_SCRATCH))
            try:
                yield PostgresRestoration(connection, self._writer, apart=True)
            finally:
                connection.rollback()

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        options = f"-c timezone=UTC -c search_path=public -c client_encoding=UTF8 -c lock_timeout={LOCK_WAIT}"
        with (
            translated(),
            psycopg.connect(
                self._owner_dsn, connect_timeout=CONNECT_SECONDS, options=options, application_name="frostbyte-import"
            ) as connection,
        ):
            prepare(connection)
            yield connection


def _see_that_it_is_empty(connection: Connection) -> None:
    for table in tables.names(connection):
        if table in _OWN:
            continue
        found = connection.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(table))).fetchone()
        if found is not None and found[0]:
            raise Conflict(
                "plane_not_empty",
                "This plane has begun already: its database holds documents, a configuration or a log of its own.",
                "Import into a plane that was installed and never started (install.sh --restore does all of it).",
            )
