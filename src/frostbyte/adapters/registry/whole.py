"""The control plane's database as a whole: one state of it read, and put into an empty one in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

import psycopg
from psycopg import IsolationLevel, sql

from frostbyte.adapters.postgres import tables
from frostbyte.adapters.postgres.audit import SequencerMark
from frostbyte.adapters.postgres.errors import translated
from frostbyte.adapters.postgres.mapping import Connection, Session, prepare
from frostbyte.adapters.postgres.pool import CONNECT_SECONDS
from frostbyte.adapters.postgres.schema import Migration, Schema, apply_migrations, check_version, compare, packaged
from frostbyte.adapters.registry.postgres import PostgresRegistryUnitOfWork
from frostbyte.kernel.archive.contents import TableHead
from frostbyte.kernel.archive.file import broken
from frostbyte.kernel.errors import Conflict, Unavailable

_SCHEMAS_OWN: Final = frozenset({"legal_moves", "legal_entries"})
"""Tables whose rows come with the schema."""
_LAST: Final = "ended_logs"
"""Once a log is said to have ended, nothing is added to it: so its rows come first."""
_OPTIONS: Final = "-c timezone=UTC -c search_path=public -c client_encoding=UTF8"
_LOCK_WAIT: Final = "10s"
_RESTORED: Final = (
    "SELECT details->>'export_id' FROM audit_sequence JOIN audit_events USING (event_id) "
    "WHERE log = current_log() AND sequence = 0 AND type = 'PLANE_RESTORED'"
)
_SETTLE: Final = (
    # One may have been revoked since, and whoever has it does not know that this control plane is another one.
    "UPDATE api_keys SET revoked_at = clock_timestamp(), revoked_by = 'restore' WHERE revoked_at IS NULL",
    # A plane may have been told otherwise since: no edge is opened before it has said how it stands.
    "UPDATE standings SET acknowledged_version = 0, acknowledged_at = NULL",
)
_TRIGGERS: Final = (
    "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'A' "
    "AND tgrelid::regclass::text = ANY(%s)"
)
_COUNTERS: Final = (
    "SELECT relname, attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid "
    "WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attidentity <> ''"
)


class ControlState:
    """See control_plane.backup.ports.State.

    Args:
        connection: in the transaction that holds the state.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        moment = connection.execute("SELECT now()").fetchone()
        assert moment is not None  # it reads no table
        self.taken_at: datetime = moment[0]
        self.migrations: dict[str, str] = dict(
            connection.execute("SELECT name, sha256 FROM schema_migrations ORDER BY name").fetchall()
        )
        self.tables: tuple[TableHead, ...] = tuple(
            head for head in tables.heads(connection) if head.name not in _SCHEMAS_OWN
        )
        signed = connection.execute("SELECT max(size) FROM audit_checkpoints WHERE log = current_log()").fetchone()
        if signed is None or signed[0] is None:
            raise Unavailable(
                "backup_log_waits",
                "The control plane's log has no checkpoint yet, so its backup would end with nothing.",
                "Look at its /ready, which says what the sequencer waits for; the next backup comes by itself.",
            )
        self._signed = int(signed[0])

    def rows(self, table: TableHead, most: int) -> Iterator[bytes]:
        """What has a number and no signature yet is taken without its number: whoever restores numbers it anew."""
        with translated():
            yield from tables.read(self._connection, table, most, self._signed)


def states(dsn: str, role: str = "") -> Callable[[], AbstractContextManager[ControlState]]:
    """Holds states of a database; see control_plane.backup.ports.States.

    Args:
        dsn: of the writer, or of the owner together with `role`.
    """

    @contextmanager
    def hold() -> Iterator[ControlState]:
        options = f"{_OPTIONS} -c idle_in_transaction_session_timeout=0" + (f" -c role={role}" if role else "")
        with translated(), _connect(dsn, options, "frostbyte-backup") as connection:
            connection.isolation_level = IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            yield ControlState(connection)
            connection.rollback()

    return hold


class PostgresLoaded:
    """See control_plane.backup.ports.Loaded."""

    def __init__(self, connection: Connection, writer: str) -> None:
        self._connection, self._writer = connection, writer
        self.uow = PostgresRegistryUnitOfWork(Session(connection), SequencerMark())

    def load(
        self, migrations: Mapping[str, str], parts: Iterable[tuple[TableHead, Iterable[bytes]]], *, version: str
    ) -> None:
        files = packaged(Schema.CONTROL)
        if not {item.name for item in files}.issuperset(migrations):
            raise Conflict(
                "archive_newer",
                "The backup comes from a newer version of Frostbyte than this one.",
                f"Restore it with version {version} or a later one.",
            )
        compare(migrations, files)
        self._put(files[: len(migrations)], parts)
        apply_migrations(self._connection, files[len(migrations) :], self._writer)
        for statement in _SETTLE:
            self._connection.execute(sql.SQL(statement))

    def _put(self, files: Sequence[Migration], given: Iterable[tuple[TableHead, Iterable[bytes]]]) -> None:
        tables.clear(self._connection)
        apply_migrations(self._connection, files, self._writer)
        there = set(tables.names(self._connection))
        last: list[bytes] = []
        columns: tuple[str, ...] = ()
        for head, rows in given:
            if head.name not in there:
                raise broken("it holds rows of a table that its schema does not have")
            if head.name == _LAST:
                last, columns = list(rows), head.columns
            elif head.name not in _SCHEMAS_OWN:
                self._copied(head.name, head.columns, rows)
        if last:
            self._copied(_LAST, columns, last)
        self._count_on()

    def _copied(self, table: str, columns: tuple[str, ...], rows: Iterable[bytes]) -> None:
        """Rows as they are: what watches over changes has watched over them when they were made."""
        watching = self._connection.execute(_TRIGGERS, [[table]]).fetchall()
        for _, name in watching:
            self._connection.execute(_alter("DISABLE TRIGGER {}", table, name))
        tables.put(self._connection, table, columns, rows)
        for _, name in watching:
            self._connection.execute(_alter("ENABLE ALWAYS TRIGGER {}", table, name))

    def _count_on(self) -> None:
        """Numbers that the database gives go on after the highest that is there."""
        for table, column in self._connection.execute(_COUNTERS).fetchall():
            self._connection.execute(
                sql.SQL(
                    "SELECT setval(pg_get_serial_sequence({named}, {text}), greatest(max({column}), 1), "
                    "max({column}) IS NOT NULL) FROM {table}"
                ).format(
                    named=sql.Literal(table),
                    text=sql.Literal(column),
                    column=sql.Identifier(column),
                    table=sql.Identifier(table),
                )
            )


def _alter(how: LiteralString, table: str, trigger: str) -> sql.Composed:
    return sql.SQL("ALTER TABLE {} ").format(sql.Identifier(table)) + sql.SQL(how).format(sql.Identifier(trigger))


class PostgresDatabases:
    """See control_plane.backup.ports.Databases.

    Args:
        owner_dsn: of the role that owns the tables.
        writer: the role that the running control plane has.
    """

    def __init__(self, owner_dsn: str, writer: str) -> None:
        self._owner_dsn, self._writer = owner_dsn, writer

    def restored_from(self) -> UUID | None:
        with translated(), self._connected() as connection:
            if connection.execute("SELECT to_regclass('ended_logs')").fetchone() == (None,):
                return None
            found = connection.execute(_RESTORED).fetchone()
        return UUID(found[0]) if found and found[0] else None

    @contextmanager
    def begin(self) -> Iterator[PostgresLoaded]:
        with translated(), self._connected() as connection:
            check_version(connection.info.server_version)
            _see_that_it_is_empty(connection)
            try:
                yield PostgresLoaded(connection, self._writer)
            finally:
                connection.rollback()  # what was committed stays

    def _connected(self) -> Connection:
        return _connect(self._owner_dsn, f"{_OPTIONS} -c lock_timeout={_LOCK_WAIT}", "frostbyte-restore")


def _connect(dsn: str, options: str, name: str) -> Connection:
    connection = psycopg.connect(dsn, connect_timeout=CONNECT_SECONDS, options=options, application_name=name)
    prepare(connection)
    return connection


def _see_that_it_is_empty(connection: Connection) -> None:
    for table in tables.names(connection):
        if table in (*_SCHEMAS_OWN, "control_plane", "schema_migrations"):
            continue
        found = connection.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(table))).fetchone()
        if found is not None and found[0]:
            raise Conflict(
                "control_not_empty",
                "This control plane has begun already: its database or its folder holds something of its own.",
                "Restore onto an empty database and an empty data folder (FROSTBYTE_CONTROL_DATA_DIR).",
            )
