"""The schema: numbered SQL files, applied once, in order, under a lock, by the owner's role."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from importlib import resources
from typing import Any, Final

import msgspec
import psycopg
from psycopg import sql

from frostbyte.adapters.postgres.errors import translated
from frostbyte.adapters.postgres.mapping import Connection
from frostbyte.kernel.errors import Conflict, FrostbyteError, Unavailable

OWNER: Final = "frostbyte_owner"
WRITER: Final = "frostbyte_writer"
OLDEST: Final = 16
"""The first major version of PostgreSQL that a plane accepts."""
_LOCK: Final = (0x0F205, 2)
_NAME: Final = re.compile(r"(\d{3})_[a-z0-9_]+\.sql")

_LEDGER: Final = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name       text PRIMARY KEY,
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
GRANT SELECT ON schema_migrations TO frostbyte_writer;
"""
_WRITER_WORD: Final = re.compile(rf"\b{WRITER}\b")


class Migration(msgspec.Struct, frozen=True):
    """One numbered file."""

    name: str
    text: str

    @property
    def sha256(self) -> str:
        """Of the file's bytes, hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()


class Plane(msgspec.Struct, frozen=True, kw_only=True):
    """Whose plane this database is."""

    tenant_id: str
    log_origin: str
    """The name of the audit log, the first line of its checkpoints."""
    created_at: datetime


class Schema(StrEnum):
    """A set of files: each kind of database has its own numbers."""

    PLANE = "migrations"
    CONTROL = "migrations/control"


def packaged(schema: Schema = Schema.PLANE) -> list[Migration]:
    """The files of a set that travel with the package, in order.

    Raises:
        FrostbyteError: `migrations_broken` where numbers are missing or a name does not fit.
    """
    folder = resources.files("frostbyte.adapters.postgres").joinpath(*schema.value.split("/"))
    files = sorted(
        (Migration(item.name, item.read_bytes().decode()) for item in folder.iterdir() if item.name.endswith(".sql")),
        key=lambda item: item.name,
    )
    check_numbers(files)
    return files


def check_numbers(files: Sequence[Migration]) -> None:
    """Refuse a set whose numbers are not 001, 002, 003 ..."""
    for number, item in enumerate(files, 1):
        match = _NAME.fullmatch(item.name)
        if match is None or int(match[1]) != number:
            raise FrostbyteError(
                "migrations_broken",
                f"The schema file {item.name} does not continue the numbering at {number:03}.",
                "Install Frostbyte again from a complete package.",
            )


def migrate(
    owner_dsn: str, files: Sequence[Migration] | None = None, *, writer: str = WRITER, make: bool = False
) -> list[str]:
    """Bring the schema up to date; the names of the files that were applied now.

    All of them are applied in one transaction: a file that fails leaves the schema as it was. Two callers at once
    wait for each other.

    Args:
        owner_dsn: connection string of a role that may create tables (`frostbyte_owner`).
        files: instead of the packaged ones.
        writer: the role that the running plane has. The files grant to `frostbyte_writer`; on a server that holds
            several tenants each has a writer of its own, and the grants are made to that one.
        make: whether a writer that is missing is made, for an owner that steps down to it: nobody enters as it.

    Raises:
        Conflict: `migration_changed` where an applied file is not what it was, `schema_newer` where the database
            holds files that this version does not know.
        FrostbyteError: `database_too_old`, `database_roles_missing` where the writer's role does not exist,
            `migration_failed`.
        Unavailable: `database_unavailable`.
    """
    wanted = packaged() if files is None else list(files)
    check_numbers(wanted)
    with _owner(owner_dsn) as connection:
        check_version(connection.info.server_version)
        connection.execute("SELECT pg_advisory_xact_lock(%s::int, %s::int)", _LOCK)
        if not _known(connection, writer) and not (make and _made(connection, writer)):
            raise FrostbyteError(
                "database_roles_missing",
                f"The database has no role {writer}.",
                f"Create it as an administrator: CREATE ROLE {writer} LOGIN; and give it a password.",
            )
        connection.execute(_granting(_LEDGER, writer, connection))
        applied = dict(connection.execute("SELECT name, sha256 FROM schema_migrations").fetchall())
        compare(applied, wanted)
        fresh = [item for item in wanted if item.name not in applied]
        apply_migrations(connection, fresh, writer)
    return [item.name for item in fresh]


def _known(connection: Connection, role: str) -> bool:
    return connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone() is not None


def _made(connection: Connection, role: str) -> bool:
    """Whether who asks could make the role, and may become it from now on."""
    able = "SELECT 1 FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolcreaterole)"
    if connection.execute(able).fetchone() is None:
        return False
    name = sql.Identifier(role)
    connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(name))
    connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(name))
    return True


def check_version(found: int) -> None:
    """Refuse a server older than what the plane is tested with.

    Args:
        found: as libpq tells it: 10,000 times the major version and the minor version.
    """
    if found < OLDEST * 10_000:
        raise FrostbyteError(
            "database_too_old",
            f"The database is PostgreSQL {found // 10_000}, and a plane needs {OLDEST} or later.",
            "Upgrade the server (pg_upgrade keeps its data), then start again.",
        )


def apply_migrations(connection: Connection, files: Sequence[Migration], writer: str) -> None:
    """Apply files in the transaction that is open. Raises FrostbyteError: `migration_failed`."""
    connection.execute(_granting(_LEDGER, writer, connection))
    for item in files:
        _apply(connection, item, writer)


def compare(applied: Mapping[Any, Any], wanted: Sequence[Migration]) -> None:
    """See that what was applied is what these files are. Raises Conflict: `schema_newer`, `migration_changed`."""
    known = {item.name: item.sha256 for item in wanted}
    for name in sorted(applied):
        if name not in known:
            raise Conflict(
                "schema_newer",
                f"The database was already changed by {name}, which this version does not know.",
                "Run the newer version of Frostbyte, or restore the backup made before the update.",
            )
        if known[name] != applied[name]:
            raise Conflict(
                "migration_changed",
                f"The schema file {name} is not the one that was applied to this database.",
                "Restore the original file; put a change of the schema into a new file.",
            )


def _granting(text: str, writer: str, connection: Connection) -> bytes:
    """The file's text with its grants made to the plane's own writer."""
    if writer == WRITER:
        return text.encode()
    quoted = sql.Identifier(writer).as_string(connection)
    return _WRITER_WORD.sub(lambda _: quoted, text).encode()


def _apply(connection: Connection, item: Migration, writer: str) -> None:
    try:
        connection.execute(_granting(item.text, writer, connection))
        connection.execute("INSERT INTO schema_migrations (name, sha256) VALUES (%s, %s)", [item.name, item.sha256])
    except psycopg.OperationalError:
        raise
    except psycopg.Error as error:
        # The schema holds no content, and whoever reads this needs the server's own sentence.
        raise FrostbyteError(
            "migration_failed",
            f"The schema file {item.name} could not be applied: {error.diag.message_primary}.",
            "Nothing was changed. Report this with the version of PostgreSQL.",
        ) from None


def claim_plane(owner_dsn: str, tenant_id: str, log_origin: str) -> Plane:
    """Make the database this tenant's for good, or check that it is.

    Raises:
        Conflict: `plane_of_another_tenant` where it belongs to another tenant or log.
        Invalid: `database_value_refused` for a tenant id that does not match `[a-z0-9]{1,32}`.
        Unavailable: `database_unavailable`.
    """
    with _owner(owner_dsn) as connection:
        connection.execute(
            "INSERT INTO plane (tenant_id, log_origin, created_at) VALUES (%s, %s, clock_timestamp()) "
            "ON CONFLICT DO NOTHING",
            [tenant_id, log_origin],
        )
        plane = _plane(connection)
    if plane is None or (plane.tenant_id, plane.log_origin) != (tenant_id, log_origin):
        raise _foreign()
    return plane


def claim_control(owner_dsn: str, environment: str, log_origin: str) -> None:
    """Make the database this environment's control plane's for good, or check that it is.

    Raises:
        Conflict: `control_of_another_environment`.
        Invalid: `database_value_refused` for an environment's name that is none.
        Unavailable: `database_unavailable`.
    """
    with _owner(owner_dsn) as connection:
        connection.execute(
            "INSERT INTO control_plane (environment, log_origin, created_at) VALUES (%s, %s, clock_timestamp()) "
            "ON CONFLICT DO NOTHING",
            [environment, log_origin],
        )
        found = connection.execute("SELECT environment, log_origin FROM control_plane").fetchone()
    if found != (environment, log_origin):
        raise Conflict(
            "control_of_another_environment",
            "This database belongs to the control plane of another environment.",
            "Check FROSTBYTE_CONTROL_ENVIRONMENT and the database's address; a control plane never changes its own.",
        )


def _foreign() -> Conflict:
    return Conflict(
        "plane_of_another_tenant",
        "This database belongs to another tenant or another audit log.",
        "Check FROSTBYTE_TENANT_ID and the database's address; a plane never changes its tenant.",
    )


def check_plane(dsn: str, tenant_id: str) -> bool:
    """See that the database is this tenant's and of today's schema. Any of the two roles may ask.

    Returns:
        whether who asks owns the tables, and so has to step down before it works.

    Raises:
        Unavailable: `plane_not_ready` before a plane has prepared it; `database_unavailable`.
        Conflict: `plane_of_another_tenant`, `schema_newer`, `migration_changed`.
    """
    wanted = packaged()
    with _owner(dsn) as connection:
        there = connection.execute("SELECT to_regclass('schema_migrations'), to_regclass('plane')").fetchone()
        ready = there is not None and None not in there
        plane = _plane(connection) if ready else None
        applied = dict(connection.execute("SELECT name, sha256 FROM schema_migrations").fetchall()) if ready else {}
        owner = _owns(connection)
    compare(applied, wanted)
    if plane is None or len(applied) < len(wanted):
        raise Unavailable(
            "plane_not_ready",
            "The database has not been prepared by a plane of this version yet.",
            "Start the plane (`frostbyte serve data`); workers wait for it.",
        )
    if plane.tenant_id != tenant_id:
        raise _foreign()
    return owner


def owns_schema(dsn: str) -> bool:
    """Whether this role has the rights of the tables' owner, and so has to step down before it works.

    Raises:
        Unavailable: `database_unavailable`.
    """
    with _owner(dsn) as connection:
        return _owns(connection)


def _owns(connection: Connection) -> bool:
    found = connection.execute(
        "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass('schema_migrations')"
    ).fetchone()
    return found is not None and bool(found[0])


def read_plane(dsn: str) -> Plane | None:
    """Whose database this is, or None before it was claimed. Any of the two roles may ask."""
    with _owner(dsn) as connection:
        return _plane(connection)


def _plane(connection: Connection) -> Plane | None:
    record = connection.execute("SELECT tenant_id, log_origin, created_at FROM plane").fetchone()
    return Plane(tenant_id=record[0], log_origin=record[1], created_at=record[2]) if record else None


@contextmanager
def _owner(dsn: str) -> Iterator[Connection]:
    """A transaction on a connection of its own, committed at the end of the block."""
    with (
        translated(),
        psycopg.connect(dsn, connect_timeout=5, options="-c timezone=UTC -c search_path=public") as connection,
    ):
        yield connection
