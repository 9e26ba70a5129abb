"""What only a database can promise of the audit: nobody changes it, and the log is found fast."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from msgspec.structs import fields
from psycopg import sql

from frostbyte.adapters.postgres import EmbeddedServer, PostgresStore, migrate
from frostbyte.adapters.postgres.access import REVOCATIONS
from frostbyte.adapters.postgres.audit import SequencerMark
from frostbyte.adapters.postgres.batches import BATCHES, RECEIPTS
from frostbyte.adapters.postgres.documents import CHUNKS, DOCUMENTS
from frostbyte.adapters.postgres.jobs import JOBS
from frostbyte.adapters.postgres.keeping import ERASURES, HANDOUTS, HOLDS, RUNS
from frostbyte.adapters.postgres.settings import CONFIGS
from frostbyte.adapters.postgres.unit_of_work import PostgresUnitOfWork
from frostbyte.kernel.errors import FrostbyteError
from frostbyte.kernel.records import CheckpointRow, Stage
from stores.store_rows import NOW, event, job, leaf

CHANGES = {
    "audit_events": "UPDATE audit_events SET actor = 'x'",
    "audit_sequence": "UPDATE audit_sequence SET leaf_hash = leaf_hash",
    "audit_nodes": "UPDATE audit_nodes SET hash = hash",
    "audit_checkpoints": "UPDATE audit_checkpoints SET note = 'x'",
}
STATEMENTS = [
    statement
    for table, update in CHANGES.items()
    for statement in (update, f"DELETE FROM {table}", f"TRUNCATE {table}", f"DELETE FROM {table} WHERE false")
] + [
    "TRUNCATE audit_events CASCADE",
    "MERGE INTO audit_nodes USING (SELECT 1) AS one ON true WHEN MATCHED THEN DELETE",
    "INSERT INTO audit_nodes (log, level, index, hash) SELECT log, level, index, hash FROM audit_nodes "
    "ON CONFLICT (log, level, index) DO UPDATE SET hash = EXCLUDED.hash",
]


def fill(store: PostgresStore) -> None:
    entry = event()
    with store.unit_of_work() as uow:
        uow.audit.append(entry)
        uow.audit.extend(0, [entry.event_id], [leaf(0)])
        uow.audit.put_nodes([(1, 0, leaf(1))])
        uow.audit.add_checkpoint(CheckpointRow(size=1, root=leaf(0), note="n", created_at=NOW))
        uow.commit()


@pytest.mark.parametrize("statement", STATEMENTS)
@pytest.mark.parametrize(
    ("role", "code"), [("frostbyte_writer", "42501"), ("frostbyte_owner", "FB001"), ("postgres", "FB001")]
)
def test_the_audit_is_never_changed_by_anybody(
    server: EmbeddedServer, shared: str, statement: str, role: str, code: str
) -> None:
    with psycopg.connect(server.dsn(role, shared)) as connection:
        with pytest.raises(psycopg.Error) as caught:
            connection.execute(sql.SQL(statement))  # type: ignore[arg-type]
        connection.rollback()
        assert caught.value.sqlstate == code
        counts = [connection.execute(sql.SQL(f"SELECT count(*) FROM {table}")).fetchone() for table in CHANGES]  # type: ignore[arg-type]
    assert counts == [(1,)] * 4


@pytest.fixture(scope="module")
def shared(server: EmbeddedServer) -> str:
    """A database with one row in each table of the audit, which no test manages to change."""
    server.create_database("audit_shared", template="template")
    with PostgresStore(server.dsn("frostbyte_writer", "audit_shared")) as store:
        fill(store)
    return "audit_shared"


def test_the_trigger_holds_where_triggers_are_switched_off(server: EmbeddedServer, shared: str) -> None:
    with psycopg.connect(server.dsn("postgres", shared)) as connection:
        connection.execute("SET session_replication_role = replica")
        with pytest.raises(psycopg.Error) as caught:
            connection.execute("DELETE FROM audit_events")
    assert caught.value.sqlstate == "FB001"


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE audit_events DISABLE TRIGGER ALL",
        "DROP TABLE audit_events",
        "CREATE TABLE mine (x int)",
        "DELETE FROM receipts",
        "UPDATE configs SET actor = 'x'",
        "DELETE FROM revocations",
        "UPDATE plane SET tenant_id = 'other'",
        "INSERT INTO schema_migrations (name, sha256) VALUES ('x', 'y')",
    ],
)
def test_the_running_plane_cannot_change_the_rules(server: EmbeddedServer, shared: str, statement: str) -> None:
    with (
        psycopg.connect(server.dsn("frostbyte_writer", shared)) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(sql.SQL(statement))  # type: ignore[arg-type]


def test_a_refused_change_has_a_code_of_ours(postgres: PostgresStore) -> None:
    fill(postgres)
    with pytest.raises(FrostbyteError) as caught, postgres.unit_of_work() as uow:
        uow._run("DELETE FROM audit_events")  # there is no method for it
    assert caught.value.code == "database_forbidden"


def test_a_mightier_account_works_as_the_writer(server: EmbeddedServer, database: str) -> None:
    with PostgresStore(server.dsn("postgres", database), role="frostbyte_writer") as store:
        fill(store)
        with pytest.raises(FrostbyteError) as caught, store.unit_of_work() as uow:
            uow._run("DELETE FROM audit_events")
    assert caught.value.code == "database_forbidden"  # no right to it, before any trigger is asked


def test_every_field_of_every_row_has_its_column(server: EmbeddedServer, shared: str) -> None:
    with psycopg.connect(server.dsn("frostbyte_owner", shared)) as connection:
        for name, table in {
            "documents": DOCUMENTS,
            "chunks": CHUNKS,
            "batches": BATCHES,
            "receipts": RECEIPTS,
            "jobs": JOBS,
            "configs": CONFIGS,
            "revocations": REVOCATIONS,
            "erasures": ERASURES,
            "handouts": HANDOUTS,
            "holds": HOLDS,
            "retention_runs": RUNS,
        }.items():
            columns = connection.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_name = %s", [name]
            ).fetchall()
            assert {column[0] for column in columns} == {field.name for field in fields(table.row)}, name


def test_the_mark_belongs_to_one_start_of_one_server() -> None:
    mark = SequencerMark()
    assert mark.of("monday") == 0
    mark.move("monday", 7)
    assert mark.of("monday") == 7
    assert mark.of("tuesday") == 0


def test_a_look_up_reads_what_happened_lately_not_the_whole_log(postgres: PostgresStore) -> None:
    with postgres.unit_of_work() as uow:
        events = [event() for _ in range(20_000)]
        uow.audit.append_many(events)
        uow.audit.extend(0, [entry.event_id for entry in events], [leaf(0)] * len(events))
        uow.commit()
    with postgres.unit_of_work() as uow:
        before = _rows_read(uow)
        assert uow.audit.unsequenced(10) == []
        assert _rows_read(uow) - before >= 20_000  # the one full look-up
    fresh = event()
    with postgres.unit_of_work() as uow:
        uow.audit.append(fresh)
        uow.commit()
    with postgres.unit_of_work() as uow:
        before = _rows_read(uow)
        assert uow.audit.unsequenced(10) == [fresh]
        assert _rows_read(uow) - before < 10


def _rows_read(uow: PostgresUnitOfWork) -> int:
    """Rows of the audit's tables that this connection has read lately."""
    row = uow._one(
        "SELECT sum(greatest(idx_tup_fetch, idx_scan) + seq_tup_read)::int FROM pg_stat_xact_user_tables "
        "WHERE relname IN ('audit_events', 'audit_sequence')"
    )
    assert row is not None
    return int(row[0])


def test_the_server_s_time_decides_about_leases_unless_told_otherwise(server: EmbeddedServer, database: str) -> None:
    far = datetime.now(UTC) + timedelta(days=365)
    with PostgresStore(server.dsn("frostbyte_writer", database)) as store, store.unit_of_work() as uow:
        uow.jobs.put(job(not_before=far))
        assert uow.jobs.lease("w", far + timedelta(days=1), 30, tuple(Stage)) is None
        due = job(not_before=NOW)
        uow.jobs.put(due)
        leased = uow.jobs.lease("w", NOW, 30, tuple(Stage))
        assert leased is not None
        assert leased.leased_until is not None
        assert abs(leased.leased_until - datetime.now(UTC) - timedelta(seconds=30)) < timedelta(seconds=20)


def test_applying_the_schema_again_changes_nothing(server: EmbeddedServer, database: str) -> None:
    assert migrate(server.dsn("frostbyte_owner", database)) == []
