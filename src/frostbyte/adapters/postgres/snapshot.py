"""Snapshots of a plane's database, which the log ends with.

The sequencer's lock is taken first, for the whole session, so that nobody numbers events. Then the snapshot is taken,
and in a transaction that sees just the same the events that have no number yet get theirs. So the log that is signed
then covers what the snapshot sees, event by event, however busy the plane is; the lock is given back after that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final
from uuid import UUID

import psycopg
from psycopg import IsolationLevel, sql

from frostbyte.adapters.postgres import tables
from frostbyte.adapters.postgres.audit import SEQUENCER_LOCK, PostgresAuditLog, SequencerMark
from frostbyte.adapters.postgres.errors import translated
from frostbyte.adapters.postgres.keeping import ERASURES
from frostbyte.adapters.postgres.mapping import Connection, Repository, Session, Table, prepare
from frostbyte.adapters.postgres.pool import CONNECT_SECONDS, LOCK_WAIT, PostgresTransaction
from frostbyte.adapters.postgres.unit_of_work import READ_LOCK
from frostbyte.kernel.archive.contents import TableHead
from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.ports.snapshot import HeldDocument, Tally
from frostbyte.kernel.ports.unit_of_work import AuditUnitOfWorkFactory
from frostbyte.kernel.records import CheckpointRow, ErasureRow

_HELD: Final = Table("documents", HeldDocument, "doc_id")
_MARK: Final = (
    "SELECT system_identifier, oid, pg_snapshot_xmin(pg_current_snapshot())::text "
    "FROM pg_control_system(), pg_database WHERE datname = current_database()"
)
"""Which server and database, and the first transaction that had not ended for certain."""
_TOO_LONG_AGO: Final = 1 << 31
"""Transactions after which a row's number of the one that wrote it (32 bits) may be a later one's as well."""


class PostgresSnapshot(Repository):
    """See kernel.ports.snapshot.Snapshot.

    Args:
        held: in the transaction that is the snapshot.
        later: in one that sees the log's end.
        now: in none: each question sees what is committed then.
        end: the newest checkpoint while nobody else could number.
    """

    def __init__(self, held: Connection, later: Connection, now: Connection, end: CheckpointRow | None) -> None:
        super().__init__(Session(held))
        self._held, self._later, self._now = held, later, now
        moment = self._one("SELECT now()")
        assert moment is not None  # it reads no table
        self.taken_at: datetime = moment[0]
        self.migrations: dict[str, str] = dict(self._all("SELECT name, sha256 FROM schema_migrations ORDER BY name"))
        self.tables = tables.heads(held)
        self._erasures: list[UUID] = [record[0] for record in self._all("SELECT erasure_id FROM erasures")]
        self.checkpoint = self._end_of_log(end)

    def _end_of_log(self, latest: CheckpointRow | None) -> CheckpointRow:
        seen = self._one("SELECT count(*) - (SELECT coalesce(sum(size), 0) FROM ended_logs) FROM audit_events")
        if latest is None or seen is None or latest.size != seen[0]:
            raise Unavailable(
                "export_log_waits",
                "The log could not be brought to its end: events wait to be numbered and signed.",
                "Look at /ready, which says what the sequencer waits for, and export again.",
            )
        return latest

    def rows(self, table: TableHead, most: int) -> Iterator[bytes]:
        # What the log was brought to its end with came after the snapshot was taken.
        connection = self._later if table.name in tables.LOG else self._held
        with translated():
            yield from tables.read(connection, table, most, self.checkpoint.size)

    def pieces(self, table: TableHead) -> Iterator[bytes]:
        connection = self._later if table.name in tables.LOG else self._held
        with translated():
            yield from tables.pieces(connection, table, self.checkpoint.size)

    @property
    def segmented(self) -> frozenset[str]:
        return frozenset(tables.SEGMENTED)

    @property
    def logs(self) -> tuple[int, ...]:
        ended = self._all("SELECT size FROM ended_logs ORDER BY log")
        return (*(record[0] for record in ended), self.checkpoint.size)

    @property
    def mark(self) -> str:
        found = self._one(_MARK)
        assert found is not None  # it is about the database that is asked
        return "/".join(map(str, found))

    def tallies(self, since: str = "") -> dict[str, Tally]:
        wanted = [table.name for table in self.tables if table.name not in tables.LOG.keys() | tables.SEGMENTED.keys()]
        with translated():
            return tables.tallies(self._held, wanted, _first_fresh(since, self.mark))

    def segment(self, table: TableHead, log: int, start: int, end: int) -> Iterator[bytes]:
        with translated():
            yield from tables.segment(self._later, table, log, start, end)

    def continues(self, size: int, root: bytes) -> bool:
        query = "SELECT root FROM audit_checkpoints WHERE log = current_log() AND size = %s"
        found = Repository(Session(self._later))._one(query, [size])
        return found is not None and bytes(found[0]) == root and size <= self.checkpoint.size

    def documents(self, page: int = 500) -> Iterator[list[HeldDocument]]:
        last = UUID(int=0)
        while records := self._all(
            _HELD.select + "WHERE state <> 'erased' AND doc_id > %s ORDER BY doc_id LIMIT %s", [last, page]
        ):
            rows = [_HELD.decode(record) for record in records]
            yield rows
            last = rows[-1].doc_id

    def batch_keys(self) -> list[str]:
        return [r[0] for r in self._all("SELECT key_object FROM batches WHERE key_object <> '' ORDER BY key_object")]

    def embeddings(self) -> list[str]:
        query = "SELECT DISTINCT embedding FROM documents WHERE active_generation <> '' ORDER BY embedding"
        return [record[0] for record in self._all(query)]

    def erased_since(self) -> list[ErasureRow]:
        ask = Repository(Session(self._now))
        count = ask._one("SELECT count(*) FROM erasures")
        if count is not None and count[0] == len(self._erasures):  # no row of it is ever removed
            return []
        records = ask._all(
            ERASURES.select + "WHERE erasure_id <> ALL(%s) ORDER BY requested_at, erasure_id", [self._erasures]
        )
        return [ERASURES.decode(record) for record in records]


def _first_fresh(since: str, now: str) -> int | None:
    """The first transaction whose rows the snapshot of a mark may not have had; None where nothing can be told."""
    *place, first = since.split("/")
    *here, latest = now.split("/")
    if place != here or int(latest) - int(first) >= _TOO_LONG_AGO - 1:
        return None
    return int(first)


class PostgresSnapshots:
    """See kernel.ports.snapshot.Snapshots.

    Args:
        dsn: of the writer, or of the owner together with `role`.
        role: the role to become.
    """

    def __init__(self, dsn: str, *, role: str = "") -> None:
        self._dsn = dsn
        self._options = "-c timezone=UTC -c search_path=public -c client_encoding=UTF8"
        # The snapshot's transaction is idle while objects are read, for as long as that takes.
        self._options += f" -c lock_timeout={LOCK_WAIT} -c idle_in_transaction_session_timeout=0"
        if role:
            self._options += f" -c role={role}"

    @contextmanager
    def take(self, number: Callable[[AuditUnitOfWorkFactory], object]) -> Iterator[PostgresSnapshot]:
        with translated(), self._connect() as held, self._connect() as later, self._connect() as now:
            now.autocommit = True
            now.execute("SELECT pg_advisory_lock_shared(%s::int, %s::int)", READ_LOCK)
            later.execute("SELECT pg_advisory_lock(%s::int, %s::int)", SEQUENCER_LOCK)
            later.commit()
            try:
                held.isolation_level = IsolationLevel.REPEATABLE_READ
                held.read_only = True
                exported = held.execute("SELECT pg_export_snapshot()").fetchone()
                assert exported is not None  # it gives a name or raises
                number(_Numbering(later, str(exported[0])))
                end = PostgresAuditLog(Session(later), SequencerMark()).latest_checkpoint()
            finally:
                if not later.closed:
                    later.rollback()
                    later.execute("SELECT pg_advisory_unlock(%s::int, %s::int)", SEQUENCER_LOCK)
                    later.commit()
            later.isolation_level = IsolationLevel.REPEATABLE_READ
            later.read_only = True
            yield PostgresSnapshot(held, later, now, end)
            held.rollback()

    def _connect(self) -> Connection:
        connection = psycopg.connect(
            self._dsn, connect_timeout=CONNECT_SECONDS, options=self._options, application_name="frostbyte-export"
        )
        prepare(connection)
        return connection


class _Numbering:
    """Begins transactions for who numbers: the first one sees what the snapshot sees, later ones what there is."""

    def __init__(self, connection: Connection, snapshot: str) -> None:
        self._connection, self._snapshot = connection, snapshot
        self._mark = SequencerMark()

    @contextmanager
    def __call__(self) -> Iterator[PostgresTransaction]:
        connection = self._connection
        session = Session(connection)
        try:
            if self._snapshot:
                connection.isolation_level = IsolationLevel.REPEATABLE_READ
                connection.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(self._snapshot)))
            yield PostgresTransaction(session, self._mark)
        finally:
            session.close()
            connection.rollback()
            connection.isolation_level = None
            self._snapshot = ""
