"""A copy of a tenant's database beside it, on the same server, and the way back to it.

    tenant_{id}                the database
    tenant_{id}_before_{mark}  as it was when the plane was frozen; nobody may enter it
    tenant_{id}_gone_{mark}    what took its place in vain, for the moment until it is removed

The server copies files: nothing passes through us, and a copy is there as a whole or not at all. The way back is two
renames in one transaction. What a killed caller leaves is finished by the next call, whichever of the three it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from frostbyte.adapters.postgres.errors import translated
from frostbyte.adapters.postgres.mapping import Connection
from frostbyte.adapters.postgres.tenants import copies_of, database_of, writer_of
from frostbyte.kernel.errors import Conflict, Invalid, Unavailable

_CONNECT_SECONDS: Final = 5
_MARK: Final = re.compile(r"[a-z0-9]{1,16}")
"""With the longest tenant's id a name has 63 characters, which is PostgreSQL's limit."""


class Names(NamedTuple):
    """What a plane's database is called, and who may be what in it."""

    database: str
    owner: str
    writer: str


class PostgresSnapshots:
    """Copies of one tenant's database.

    Args:
        dsn: a superuser's, on the server's own database.
        tenant: whose.
        mark: of what is being done, 1 to 16 of a-z and 0-9: a copy that another work left is never taken for its own.

        names: of its database; left out, those of a tenant on a server that many share.

    Raises:
        Invalid: `snapshot_mark`; `database_value_refused` for an address that is none.
    """

    def __init__(
        self, dsn: str, tenant: str, mark: str, *, ca_file: Path | None = None, names: Names | None = None
    ) -> None:
        if not _MARK.fullmatch(mark):
            raise Invalid("snapshot_mark", "A copy is marked by 1 to 16 of a-z and 0-9.", "Choose another mark.")
        trust = {"sslmode": "verify-full", "sslrootcert": str(ca_file)} if ca_file else {}
        with translated():
            self._dsn = make_conninfo(dsn, connect_timeout=_CONNECT_SECONDS, **trust)
        told = names or Names(database_of(tenant), database_of(tenant), writer_of(tenant))
        self._name, self._owner, self._writer = told
        self._copy, self._gone = f"{self._name}_before_{mark}", f"{self._name}_gone_{mark}"

    def size(self) -> int:
        """Bytes of the database: about what a copy takes. Raises as `take`."""
        with self._administrator() as connection:
            self._there(connection)
            row = connection.execute("SELECT pg_database_size(%s)", [self._name]).fetchone()
        assert row is not None  # a function gives a row
        return int(row[0])

    def take(self) -> bool:
        """Copy the database as it is. Whether that was done now: one that is there stays.

        Whoever is connected is cut off and comes back by itself: PostgreSQL copies only what nobody uses.

        Raises:
            Conflict: `plane_not_frozen`, `snapshot_left`: a copy of another work is there.
            Unavailable: `database_absent`, `database_unavailable`, `disk_full`; nothing was copied then.
        """
        with self._administrator() as connection:
            self._there(connection)
            others = set(copies_of(connection, self._name)) - {self._copy, self._gone}
            if others:
                raise Conflict(
                    "snapshot_left",
                    f"Another update left a copy of the database: {min(others)}.",
                    "End that update first; its script does so when it is run again.",
                )
            self._let_in(connection, self._name)
            if self._copy in copies_of(connection, self._name):
                return False
            self._check_frozen(
                "The plane is not frozen: receipts that it gives now would be missing in a copy.",
                "Freeze it first: frostbyte plane freeze",
            )
            self._shut(connection, self._name)
            try:
                connection.execute(
                    sql.SQL(
                        "CREATE DATABASE {} TEMPLATE {} OWNER {} ALLOW_CONNECTIONS false STRATEGY file_copy"
                    ).format(*map(sql.Identifier, (self._copy, self._name, self._owner)))
                )
            finally:
                self._let_in(connection, self._name)
        return True

    def restore(self) -> bool:
        """Put the copy back in the database's place. Whether there was one.

        Raises:
            Conflict: `plane_not_frozen`: the plane was opened meanwhile.
            Unavailable: `database_absent`, `database_unavailable`.
        """
        with self._administrator() as connection:
            beside = copies_of(connection, self._name)
            found = self._copy in beside
            if found:
                if _exists(connection, self._name):
                    self._let_in(connection, self._name)
                    self._check_frozen(
                        "The plane was opened since the copy was made: receipts that it gave would be taken back.",
                        "The only way is forward now. Remove the copy: frostbyte plane snapshot drop",
                    )
                self._swap(connection)
            self._there(connection)
            self._let_in(connection, self._name)
            self._remove(connection, self._gone)
        return found

    def drop(self) -> bool:
        """Remove the copy: there is no way back any more. Whether there was one. Raises `database_unavailable`."""
        with self._administrator() as connection:
            found = self._copy in copies_of(connection, self._name)
            self._remove(connection, self._copy)
            self._remove(connection, self._gone)
        return found

    def _swap(self, connection: Connection) -> None:
        """Rights on a database are not copied with it, so the copy is given them before anybody may enter."""
        self._shut(connection, self._name)
        name, copy, gone, writer = map(sql.Identifier, (self._name, self._copy, self._gone, self._writer))
        with connection.transaction():
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(copy))
            connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(copy, writer))
            if _exists(connection, self._name):
                connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(name, gone))
            connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(copy, name))

    def _check_frozen(self, message: str, remedy: str) -> None:
        with translated(), psycopg.connect(self._dsn, dbname=self._name) as connection:
            row = connection.execute("SELECT upkeep FROM plane_standing").fetchone()
        if row is None or row[0] != "frozen":
            raise Conflict("plane_not_frozen", message, remedy)

    def _there(self, connection: Connection) -> None:
        if not _exists(connection, self._name):
            raise Unavailable(
                "database_absent", "The server holds no database of this tenant.", "Check the tenant and the server."
            )

    @staticmethod
    def _let_in(connection: Connection, name: str) -> None:
        connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(sql.Identifier(name)))

    @staticmethod
    def _shut(connection: Connection, name: str) -> None:
        """Nobody enters any more, and whoever is inside is cut off."""
        if _exists(connection, name):
            connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(name)))
        connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE datname = %s AND pid <> pg_backend_pid()",
            [name],
        )

    @staticmethod
    def _remove(connection: Connection, name: str) -> None:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    @contextmanager
    def _administrator(self) -> Iterator[Connection]:
        """Alone: two callers at once wait for each other."""
        with translated(), psycopg.connect(self._dsn, autocommit=True) as connection:
            connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [self._name])
            yield connection


def _exists(connection: Connection, name: str) -> bool:
    return connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is not None
