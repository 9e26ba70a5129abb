"""The relational store of a plane."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from psycopg.pq import TransactionStatus

from frostbyte.adapters.postgres.access import PostgresAccess
from frostbyte.adapters.postgres.accounts import PostgresAccounts
from frostbyte.adapters.postgres.audit import SequencerMark
from frostbyte.adapters.postgres.backups import PostgresBackups
from frostbyte.adapters.postgres.batches import PostgresBatches
from frostbyte.adapters.postgres.documents import PostgresChunks, PostgresDocuments
from frostbyte.adapters.postgres.jobs import PostgresJobs
from frostbyte.adapters.postgres.keeping import PostgresErasures, PostgresHolds, PostgresRetention
from frostbyte.adapters.postgres.listing import PostgresListing
from frostbyte.adapters.postgres.mapping import Session
from frostbyte.adapters.postgres.pool import PostgresPool, PostgresTransaction
from frostbyte.adapters.postgres.rebuilds import PostgresRebuilds
from frostbyte.adapters.postgres.scanners import PostgresScanners
from frostbyte.adapters.postgres.settings import PostgresConfigs
from frostbyte.adapters.postgres.standing import PostgresStanding
from frostbyte.adapters.postgres.webhooks import PostgresWebhooks
from frostbyte.kernel.records import EventRow

READ_LOCK: Final = (0x0F205, 3)
"""Advisory lock (see audit.SEQUENCER_LOCK): shared by all who read a snapshot, asked for alone by who sweeps."""


class PostgresUnitOfWork(PostgresTransaction):
    """See kernel.ports.unit_of_work.UnitOfWork."""

    def __init__(self, session: Session, mark: SequencerMark, *, caller_clock: bool) -> None:
        super().__init__(session, mark)
        self.documents = PostgresDocuments(session)
        self.batches = PostgresBatches(session)
        self.listing = PostgresListing(session)
        self.jobs = PostgresJobs(session, caller_clock=caller_clock)
        self.chunks = PostgresChunks(session)
        self.configs = PostgresConfigs(session)
        self.access = PostgresAccess(session)
        self.accounts = PostgresAccounts(session)
        self.erasures = PostgresErasures(session)
        self.holds = PostgresHolds(session)
        self.retention = PostgresRetention(session, caller_clock=caller_clock)
        self.rebuilds = PostgresRebuilds(session)
        self.backups = PostgresBackups(session)
        self.standing = PostgresStanding(session, caller_clock=caller_clock)
        self.scanners = PostgresScanners(session, caller_clock=caller_clock)
        self.webhooks = PostgresWebhooks(session)

    def record(self, event: EventRow) -> None:
        connection = self._session.changing()
        alone = connection.info.transaction_status is TransactionStatus.IDLE
        if alone:  # a single statement is a transaction of its own
            connection.autocommit = True
        self.audit.append(event)
        if alone:
            self._session.close()
        else:
            self.commit()

    def lock_content(self, doc_id: UUID) -> None:
        # The id is an HMAC: any 64 bits of it are as good as random, and a rare clash only makes two documents wait.
        self._run("SELECT pg_advisory_xact_lock(%s::bigint)", [int.from_bytes(doc_id.bytes[8:], "big", signed=True)])

    def may_sweep(self) -> bool:
        """Whether nobody reads a snapshot; nobody can begin to until the transaction ends."""
        record = self._one("SELECT pg_try_advisory_xact_lock(%s::int, %s::int)", READ_LOCK)
        return bool(record and record[0])


class PostgresStore(PostgresPool[PostgresUnitOfWork]):
    """The plane's database. See PostgresPool.

    Args:
        dsn: of the writer, or of the owner together with `role`.
        role: the role to become on each connection.
        max_connections: the most that this process opens.
        caller_clock: whether leases are judged by the `now` that callers pass, as tests with a clock of their own
            need, instead of the server's time.
    """

    def __init__(self, dsn: str, *, max_connections: int = 10, role: str = "", caller_clock: bool = False) -> None:
        super().__init__(
            dsn,
            lambda session, mark: PostgresUnitOfWork(session, mark, caller_clock=caller_clock),
            max_connections=max_connections,
            role=role,
        )

    def snapshot_read(self) -> bool:
        """Whether somebody reads a snapshot: what only an older state refers to has to stay until that is over."""
        with self.unit_of_work() as uow:
            return not uow.may_sweep()
