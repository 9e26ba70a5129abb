"""A pool of connections to a database that keeps an audit, and transactions on them."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Generic, Self, TypeVar
from weakref import WeakKeyDictionary

import psycopg
from psycopg_pool import ConnectionPool

from frostbyte.adapters.postgres.audit import PostgresAuditLog, SequencerMark
from frostbyte.adapters.postgres.errors import translate, translated
from frostbyte.adapters.postgres.mapping import Connection, Repository, Session, prepare

CONNECT_SECONDS: Final = 5
POOL_WAIT_SECONDS: Final = 15.0
LOCK_WAIT: Final = "60s"
"""The sections under the content lock are short; who waits longer meets a hanging holder and tries again."""
TRUSTED_SECONDS: Final = 1.0
"""A connection that answered so lately, with no connection broken since, is used without asking it first: under load
that is nearly every one, and the question costs as much as a statement. One on which the server said something
meanwhile is asked nevertheless: a goodbye is the only thing that it says unasked."""
IDLE_LIMIT: Final = "300s"
"""A process that hangs inside a transaction is cut off, so that it cannot hold locks and the sequencer's mark."""


class PostgresTransaction(Repository):
    """What every unit of work has: an audit, and an end. See kernel.ports.unit_of_work.AuditUnitOfWork."""

    def __init__(self, session: Session, mark: SequencerMark) -> None:
        super().__init__(session)
        self.audit = PostgresAuditLog(session, mark)

    def commit(self) -> None:
        connection = self._session.changing()
        with translated():
            connection.commit()
        self._session.close()


T = TypeVar("T", bound=PostgresTransaction)


class PostgresPool(Generic[T]):
    """A database as the role that only adds to the audit.

    Args:
        dsn: libpq connection string or URI of the role `frostbyte_writer`, or of one that may become it.
        begin: makes the unit of work of an open transaction.
        role: the role to become on each connection; for `dsn`s of the owner, so that nobody works as owner.
        max_connections: the most that this process opens.

    Raises:
        Unavailable: `database_unavailable`, from `open()` and whenever a unit of work is begun or used.
    """

    def __init__(
        self, dsn: str, begin: Callable[[Session, SequencerMark], T], *, max_connections: int, role: str
    ) -> None:
        self._begin = begin
        self._mark = SequencerMark()
        self._answered: WeakKeyDictionary[Connection, float] = WeakKeyDictionary()
        self._broken = 0.0  # when a connection was last found broken
        options = f"-c timezone=UTC -c lock_timeout={LOCK_WAIT} -c idle_in_transaction_session_timeout={IDLE_LIMIT}"
        if role:
            options += f" -c role={role}"
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            dsn,
            min_size=1,
            max_size=max_connections,
            open=False,
            configure=prepare,
            timeout=POOL_WAIT_SECONDS,
            check=self._check,
            reconnect_timeout=CONNECT_SECONDS,
            kwargs={
                "connect_timeout": CONNECT_SECONDS,
                "application_name": "frostbyte",
                "options": options,
                "keepalives_idle": 30,
                "keepalives_interval": 10,
                "keepalives_count": 3,
            },
        )

    def open(self) -> Self:
        """Connect; returns itself."""
        self._pool.open()
        with translated():
            self._pool.wait(timeout=POOL_WAIT_SECONDS)
        return self

    def close(self) -> None:
        """Close all connections. Idempotent."""
        self._pool.close()

    @contextmanager
    def unit_of_work(self, *, reading: bool = False) -> Iterator[T]:
        """One transaction; what is not committed is undone at the end of the block.

        Args:
            reading: see kernel.ports.unit_of_work.UnitOfWorkFactory.
        """
        with translated():
            connection = self._pool.getconn()
        session = Session(connection, reading=reading)
        try:
            if reading:
                connection.autocommit = True
            yield self._begin(session, self._mark)
        finally:
            session.close()
            self._return(connection)

    def ping(self) -> None:
        """Ask the database for an answer.

        Raises:
            Unavailable: `database_unavailable`.
        """
        with self.unit_of_work() as uow:
            uow.audit.latest_checkpoint()

    def _check(self, connection: Connection) -> None:
        """See that a connection of the pool answers. Raises psycopg.Error; the pool then takes another one."""
        answered = self._answered.get(connection, 0.0)
        if answered <= self._broken or time.monotonic() - answered > TRUSTED_SECONDS or _spoken_to(connection):
            ConnectionPool.check_connection(connection)

    def _return(self, connection: Connection) -> None:
        try:
            if not connection.closed:
                if connection.autocommit:  # no transaction is open
                    connection.autocommit = False
                else:
                    connection.rollback()
                self._answered[connection] = time.monotonic()
        except psycopg.Error as error:
            # The connection broke after the work: the server undoes it by itself, and the pool drops the connection.
            translate(error)
        if connection.closed:
            self._broken = time.monotonic()  # the others are asked before they are used again
        self._pool.putconn(connection)

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *exc: object) -> None:
        self.close()


def _spoken_to(connection: Connection) -> bool:
    """Whether something arrived on an idle connection: its server ends it, or is gone."""
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    return bool(waiting.poll(0))
