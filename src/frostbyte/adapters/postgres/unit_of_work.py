"""The relational store of a plane."""

from __future__ import annotations

from uuid import UUID

from frostbyte.adapters.postgres.access import PostgresAccess
from frostbyte.adapters.postgres.audit import SequencerMark
from frostbyte.adapters.postgres.batches import PostgresBatches
from frostbyte.adapters.postgres.documents import PostgresChunks, PostgresDocuments
from frostbyte.adapters.postgres.jobs import PostgresJobs
from frostbyte.adapters.postgres.mapping import Session
from frostbyte.adapters.postgres.pool import PostgresPool, PostgresTransaction
from frostbyte.adapters.postgres.rebuilds import PostgresRebuilds
from frostbyte.adapters.postgres.settings import PostgresConfigs, PostgresErasures
from frostbyte.adapters.postgres.standing import PostgresStanding


class PostgresUnitOfWork(PostgresTransaction):
    """See kernel.ports.unit_of_work.UnitOfWork."""

    def __init__(self, session: Session, mark: SequencerMark, *, caller_clock: bool) -> None:
        super().__init__(session, mark)
        self.documents = PostgresDocuments(session)
        self.batches = PostgresBatches(session)
        self.jobs = PostgresJobs(session, caller_clock=caller_clock)
        self.chunks = PostgresChunks(session)
        self.configs = PostgresConfigs(session)
        self.access = PostgresAccess(session)
        self.erasures = PostgresErasures(session)
        self.rebuilds = PostgresRebuilds(session)
        self.standing = PostgresStanding(session, caller_clock=caller_clock)

    def lock_content(self, doc_id: UUID) -> None:
        # The id is an HMAC: any 64 bits of it are as good as random, and a rare clash only makes two documents wait.
        self._run("SELECT pg_advisory_xact_lock(%s::bigint)", [int.from_bytes(doc_id.bytes[8:], "big", signed=True)])


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
