"""A tenant's database on a PostgreSQL server, with roles of its own and closed to everybody else's.

    tenant_{id}            the database
    tenant_{id}            its owner: brings the schema up to date
    tenant_{id}_writer     what a running plane is: may add to the audit, not change it

Roles belong to the whole server. Were the writer one role for all tenants, each grant in one database would be a grant
to the planes of all others, and only the door would still keep them out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import pq, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from frostbyte.adapters.postgres.errors import APPEND_ONLY, translate, translated, unavailable
from frostbyte.adapters.postgres.mapping import Connection
from frostbyte.adapters.postgres.schema import migrate
from frostbyte.kernel.errors import FrostbyteError, Unavailable
from frostbyte.kernel.ports.tenant_stores import Attempt, Refused, Secrets

OWNER_WORD: Final = "database_owner_password"
WRITER_WORD: Final = "database_writer_password"
_OWNER_URL: Final = "database_owner_url"
_WRITER_URL: Final = "database_url"
_CONNECT_SECONDS: Final = 5
_SHARED: Final = ("postgres", "template1")
"""Databases that every server has and that PostgreSQL lets everybody into."""
_LET_IN: Final = ("GRANT CONNECT ON DATABASE {n} TO", "REVOKE CONNECT ON DATABASE {n} FROM")
_LIMITS: Final = sql.SQL("LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS")


def database_of(tenant: str) -> str:
    """The tenant's database; its owner has the same name."""
    return f"tenant_{tenant}"


def writer_of(tenant: str) -> str:
    """The role of a running plane. No tenant's id holds a `_`, so it is no other tenant's owner."""
    return f"tenant_{tenant}_writer"


def copies_of(connection: Connection, database: str) -> list[str]:
    """What an update keeps beside a tenant's database: see snapshots.py. No tenant's id holds a `_`."""
    rows = connection.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [f"{database}_"])
    return sorted(str(row[0]) for row in rows.fetchall())


class PostgresTenants:
    """See kernel.ports.tenant_stores.TenantStore.

    Args:
        dsn: the administrator's: a superuser, or one who may create roles and databases and owns the shared ones.
        ca_file: what the server's certificate must be signed by; then planes are told to check it and its name.
    """

    name = "database"

    def __init__(self, dsn: str, *, ca_file: Path | None = None) -> None:
        trust = {"sslmode": "verify-full", "sslrootcert": str(ca_file)} if ca_file else {}
        with translated():
            self._dsn = make_conninfo(dsn, connect_timeout=_CONNECT_SECONDS, **trust)

    def provision(self, tenant: str, secrets: Secrets) -> Iterator[str]:
        """Roles, then the database, closed before anybody may enter it; then its schema."""
        name, writer = database_of(tenant), writer_of(tenant)
        with self._administrator() as connection:
            for role, secret in ((name, OWNER_WORD), (writer, WRITER_WORD)):
                _make_role(connection, role, secrets.made(secret))
                yield f"role {role}"
            if not _one(connection, "SELECT 1 FROM pg_database WHERE datname = %s", name):
                _do(connection, "GRANT {} TO CURRENT_USER", name)  # an administrator who is no superuser needs it
                _do(
                    connection,
                    "CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8' ALLOW_CONNECTIONS false",
                    name,
                    name,
                )
            for database in (name, *_SHARED):
                _do(connection, "REVOKE ALL ON DATABASE {} FROM PUBLIC", database)
            _do(connection, "GRANT CONNECT ON DATABASE {} TO {}", name, writer)
            _do(connection, "ALTER DATABASE {} ALLOW_CONNECTIONS true", name)
            yield f"database {name}, closed to all others"
        secrets.note(_OWNER_URL, self._address(tenant, secrets, owner=True))
        secrets.note(_WRITER_URL, self._address(tenant, secrets, owner=False))
        migrate(secrets.found(_OWNER_URL), writer=writer)
        yield "schema"

    def settings(self, tenant: str, secrets: Secrets) -> dict[str, str]:
        """Both addresses, which hold passwords."""
        return {"FROSTBYTE_DATABASE_URL_FILE": _WRITER_URL, "FROSTBYTE_DATABASE_OWNER_URL_FILE": _OWNER_URL}

    def plant(self, tenant: str, secrets: Secrets) -> Iterator[str]:
        """Nothing: the schema holds tables to be read."""
        yield from ()

    def uses(self, tenant: str, secrets: Secrets) -> Sequence[Attempt]:
        """Enter as both roles; read and write as the plane does."""
        owner, writer = secrets.found(_OWNER_URL), secrets.found(_WRITER_URL)
        return [
            Attempt("enter its own database as the owner", lambda: _run(owner, "SELECT 1")),
            Attempt("read its own tables", lambda: _run(writer, "SELECT count(*) FROM documents")),
            Attempt("write its own tables", lambda: _run(writer, "DELETE FROM jobs WHERE false")),
        ]

    def crossings(self, tenant: str, secrets: Secrets, other: str) -> Sequence[Attempt]:
        """The other's database, the server's administration, the own audit's past, and coming without a password."""
        found = []
        for role, url in (("the owner", secrets.found(_OWNER_URL)), ("the plane", secrets.found(_WRITER_URL))):
            found += [Attempt(f"{what} as {role}", one) for what, one in _tries(url, other, self._user)]
        owner, writer = secrets.found(_OWNER_URL), secrets.found(_WRITER_URL)
        target, changed = database_of(other), "UPDATE audit_events SET actor = actor"
        return [
            *found,
            Attempt("change the audit as the plane", lambda: _run(writer, changed)),
            Attempt("empty the audit as the plane", lambda: _run(writer, "TRUNCATE audit_events")),
            Attempt(
                "switch off the audit's guard as the plane",
                lambda: _run(writer, "ALTER TABLE audit_events DISABLE TRIGGER append_only"),
            ),
            Attempt("change the audit as the owner", lambda: _run(owner, changed)),
            Attempt("enter as the other's owner without a password", lambda: _enter(owner, target, user=target)),
            Attempt("enter as the administrator without a password", lambda: _enter(owner, target, user=self._user)),
        ]

    def holds(self, tenant: str) -> int:
        """Legal holds in force in the tenant's database; 0 where there is none. Raises `database_unavailable`."""
        name = database_of(tenant)
        with self._administrator() as connection:
            if not _one(connection, "SELECT 1 FROM pg_database WHERE datname = %s AND datallowconn", name):
                return 0
        with translated(), psycopg.connect(make_conninfo(self._dsn, dbname=name)) as inside:
            if inside.execute("SELECT to_regclass('public.holds')").fetchone() == (None,):
                return 0
            found = inside.execute("SELECT count(*) FROM public.holds WHERE released_at IS NULL").fetchone()
        return int(found[0]) if found else 0

    def destroy(self, tenant: str) -> Iterator[str]:
        """Nobody enters any more; then the database goes, with copies that an update left, then its roles."""
        name = database_of(tenant)
        with self._administrator() as connection:
            for copy in copies_of(connection, name):
                _do(connection, "DROP DATABASE IF EXISTS {} WITH (FORCE)", copy)
                yield f"removed database {copy}"
            if _one(connection, "SELECT 1 FROM pg_database WHERE datname = %s", name):
                size = _one(connection, "SELECT pg_database_size(%s)", name)
                _do(connection, "ALTER DATABASE {} ALLOW_CONNECTIONS false", name)
                _do(connection, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
                yield f"removed database {name} ({size:,} bytes)"
            for role in (writer_of(tenant), name):
                if _one(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", role):
                    _do(connection, "DROP ROLE IF EXISTS {}", role)
                    yield f"removed role {role}"

    def remains(self, tenant: str) -> Sequence[str]:
        """Its database or roles."""
        names = [database_of(tenant), writer_of(tenant)]
        with self._administrator() as connection:
            rows = connection.execute(
                "SELECT 'database ' || datname FROM pg_database WHERE datname = %s OR datname LIKE %s "
                "UNION ALL SELECT 'role ' || rolname FROM pg_roles WHERE rolname = ANY(%s)",
                [names[0], names[0].replace("_", r"\_") + r"\_%", names],
            ).fetchall()
        return [str(row[0]) for row in rows]

    @property
    def _user(self) -> str:
        return str(conninfo_to_dict(self._dsn).get("user") or "postgres")

    def _address(self, tenant: str, secrets: Secrets, *, owner: bool) -> str:
        role = database_of(tenant) if owner else writer_of(tenant)
        password = secrets.found(OWNER_WORD if owner else WRITER_WORD)
        return make_conninfo(self._dsn, user=role, password=password, dbname=database_of(tenant))

    @contextmanager
    def _administrator(self) -> Iterator[Connection]:
        try:
            with translated(), psycopg.connect(self._dsn, autocommit=True) as connection:
                yield connection
        except FrostbyteError as error:
            if error.code != "database_forbidden":
                raise
            raise Unavailable(
                "storage_admin_refused",
                "The database does not let the administrator do this.",
                "Name in FROSTBYTE_STORAGE_DATABASE_URL a superuser of the server.",
            ) from None


def _make_role(connection: Connection, role: str, password: str) -> None:
    """Create the role, or give an older one the password and the limits."""
    # The server gets what it would keep, never the password: statements can be logged.
    kept = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    verb = "ALTER" if _one(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", role) else "CREATE"
    connection.execute(
        sql.SQL("{} ROLE {} {} PASSWORD {}").format(sql.SQL(verb), sql.Identifier(role), _LIMITS, sql.Literal(kept))
    )


def _do(connection: Connection, statement: str, *names: str) -> None:
    connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _one(connection: Connection, query: str, *values: Any) -> Any:
    row = connection.execute(query.encode(), list(values)).fetchone()
    return row[0] if row else None


def _tries(url: str, other: str, administrator: str) -> list[tuple[str, Callable[[], None]]]:
    """What neither role may do."""
    target, fresh = sql.Identifier(database_of(other)), sql.Identifier(f"{database_of(other)}_intruder")

    def run(statement: str, undo: str = "", **parts: sql.Composable) -> Callable[[], None]:
        return lambda: _run(url, *(sql.SQL(one).format(**parts) for one in (statement, undo) if one))

    return [
        ("enter the other's database", lambda: _enter(url, database_of(other))),
        ("enter the server's own database", lambda: _enter(url, "postgres")),
        ("enter the template of databases", lambda: _enter(url, "template1")),
        ("let itself into the other's database", run(*(f"{verb} CURRENT_USER" for verb in _LET_IN), n=target)),
        ("change the other's database", run("ALTER DATABASE {n} CONNECTION LIMIT -1", n=target)),
        ("become the other's owner", run("SET ROLE {n}", n=target)),
        ("become the other's plane", run("SET ROLE {n}", n=sql.Identifier(writer_of(other)))),
        ("become the administrator", run("SET ROLE {n}", n=sql.Identifier(administrator))),
        ("read the server's passwords", run("SELECT rolpassword FROM pg_authid")),
        ("read a file of the server", run("SELECT pg_read_file('PG_VERSION')")),
        ("run a program on the server", run("COPY (SELECT 1) TO PROGRAM 'true'")),
        ("configure the server", run("ALTER SYSTEM RESET application_name")),
        ("make a role", run("CREATE ROLE {n}", "DROP ROLE {n}", n=fresh)),
        ("make a database", run("CREATE DATABASE {n}", "DROP DATABASE {n}", n=fresh)),
    ]


def _run(url: str, *statements: str | sql.Composed) -> None:
    """Try a statement in the own database, and undo it by the next one where it was not refused."""
    with translated():
        connection = psycopg.connect(url, autocommit=True)
    with connection:
        try:
            for statement in statements:
                connection.execute(statement.encode() if isinstance(statement, str) else statement)
        except psycopg.Error as error:
            if error.sqlstate in ("42501", APPEND_ONLY):
                raise Refused from None
            raise translate(error) from None


def _enter(url: str, database: str, *, user: str = "") -> None:
    """Try to enter a database; as another user without a password, if one is named.

    psycopg does not tell the code of a refused connection, and its text is in the server's language. So what is told
    apart otherwise is asked of the server: whether it wants a password, and whether the role may enter at all.
    """
    changes: dict[str, Any] = {"dbname": database}
    if user:
        changes |= {"user": user, "password": "", "passfile": "/nonexistent/none"}
    try:
        psycopg.connect(make_conninfo(url, **changes), autocommit=True).close()
    except psycopg.OperationalError as error:
        failed: pq.abc.PGconn | None = error.pgconn
        if user and failed is not None and failed.needs_password:
            raise Refused from None
        if not user and not _may_enter(url, database):
            raise Refused from None
        raise unavailable() from None


def _may_enter(url: str, database: str) -> bool:
    """What the server says of it, in the own database. Raises Unavailable if it says nothing now."""
    with (
        translated(),
        psycopg.connect(url, autocommit=True) as connection,
        suppress(psycopg.errors.InvalidCatalogName),
    ):
        return bool(_one(connection, "SELECT has_database_privilege(%s, 'CONNECT')", database))
    raise Unavailable(
        "isolation_target_missing",
        "The other tenant's database is not there, so nothing was tried.",
        "Name a tenant that is provisioned on the same server, or none: then a decoy is made.",
    )
